"""Which environments a command works on."""

from __future__ import annotations

from collections.abc import Sequence

from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.environment import Environment


def chosen(environments: Sequence[Environment], names: Sequence[str]) -> list[Environment]:
    """Return the environments with these names, or all if none is named. Raises `ConfigError` for an unknown one."""
    known = [env.name for env in environments]
    for name in names:
        if name not in known:
            raise ConfigError(f"--environment: {unknown('environment', name, known)}")
    return [env for env in environments if not names or env.name in names]

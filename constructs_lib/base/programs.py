"""Programs that have to be on the machine, such as Git."""

from __future__ import annotations

import shutil

from constructs_lib.base.errors import ConfigError


def installed(name: str, advice: str, *, command: str | None = None) -> str:
    """Return the path of the program `name`, which is started as `command` if that is another word.

    Raises `ConfigError` with `advice` if it is not installed.
    """
    path = shutil.which(command or name)
    if path is None:
        raise ConfigError(f"{name}: is not installed; {advice}")
    return path

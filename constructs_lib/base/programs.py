"""Programs that have to be on the machine, such as Git, and the one place that runs one to its end."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from constructs_lib.base.errors import ConfigError


class TookTooLongError(ConfigError):
    """A program was stopped since it did not end in time."""


def installed(name: str, advice: str, *, command: str | None = None) -> str:
    """Return the path of the program `name`, which is started as `command` if that is another word.

    Raises `ConfigError` with `advice` if it is not installed.
    """
    path = shutil.which(command or name)
    if path is None:
        raise ConfigError(f"{name}: is not installed; {advice}")
    return path


def run(command: Sequence[str], *, doing: str, deadline: float, **how: Any) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end, with what it prints captured, and return how it ended.

    Raises `TookTooLongError`, naming what was `doing`, if it has not ended after `deadline` seconds.
    """
    try:
        return subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=deadline, check=False, **how
        )
    except subprocess.TimeoutExpired:
        raise TookTooLongError(f"{doing}: did not end within {deadline:.0f} s; see what keeps it") from None

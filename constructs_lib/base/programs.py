"""Programs that have to be on the machine, such as Git: what they are given, and the one place that runs one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from constructs_lib.base.errors import ConfigError

ANY = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE", "TMPDIR", "TEMP", "TMP"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    }
)
"""The variables that every program gets: where things are, the language, the way out. None of them is a credential."""


def passed_on(*beginnings: str) -> dict[str, str]:
    """Return the variables of this process that a program gets: those that all get, and those that begin like this.

    Nothing else: a job's environment holds tokens (`ACTIONS_ID_TOKEN_REQUEST_TOKEN`, `ACTIONS_RUNTIME_TOKEN`,
    `GITHUB_TOKEN`, `VAULT_TOKEN`) by which any program, or a plugin of it, could be us.
    """
    return {name: value for name, value in os.environ.items() if name in ANY or name.startswith(("LC_", *beginnings))}


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

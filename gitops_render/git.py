"""Git, run in a folder: the one place that starts it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import installed, passed_on, run

LOCAL = 60.0
"""Seconds that a command may take which reaches no server."""
NETWORK = 600.0
"""Seconds that a command may take which does: a clone brings all of a repository's history."""


@dataclass(frozen=True)
class Git:
    """Git in a folder, with these environment variables, or with its own of this process. It asks nobody anything."""

    folder: Path
    environ: Mapping[str, str] | None = None

    def ask(self, *arguments: str, deadline: float = LOCAL) -> str | None:
        """Return what Git prints, or None if it fails. Raises `ConfigError` as `run` does."""
        result = self.run(*arguments, deadline=deadline)
        return None if result.returncode else result.stdout.rstrip("\n")

    def run(self, *arguments: str, deadline: float = LOCAL) -> subprocess.CompletedProcess[str]:
        """Run Git and return how it ended. Raises `ConfigError` as `read` does."""
        done = self._finished(arguments, deadline)
        out, err = (data.decode(errors="replace") for data in (done.stdout, done.stderr))
        return CompletedProcess(done.args, done.returncode, out, err)

    def read(self, *arguments: str) -> bytes:
        """Return what Git prints, byte for byte.

        Raises `ConfigError` if Git is not installed or fails, and `TookTooLongError`, which is one, where it hangs.
        """
        done = self._finished(arguments, LOCAL)
        if done.returncode:
            raise ConfigError(f"git {arguments[0]}: {' '.join(done.stderr.decode(errors='replace').split())}")
        return done.stdout

    def _finished(self, arguments: Sequence[str], deadline: float) -> subprocess.CompletedProcess[bytes]:
        git = installed("git", "install it")
        given = passed_on("GIT_", "SSH_") if self.environ is None else self.environ
        return run(
            [git, "-C", str(self.folder), *arguments],
            doing=f"git {arguments[0]} in {self.folder}",
            deadline=deadline,
            env={**given, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
        )

"""Programs that run in namespaces until they are ended, by their id."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.e2e.cluster import BIN
from tests.e2e.node.groups import Group
from tests.e2e.node.namespaces import Namespaces


class Daemon:
    """A program that can be started again after it was killed."""

    def __init__(self, place: Namespaces, group: Group, name: str, command: list[str], **variables: str) -> None:
        self.name = name
        self.log = place.folder / f"{name}.log"
        self._command = place.inside(*command)
        self._environ = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(place.folder), **variables}
        self._group = group
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def failed(self) -> bool:
        """Whether the program ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start the program; its log goes on where it was."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environ, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        self._group.add(self._process.pid)

    def kill(self) -> None:
        """Kill the program, and nothing that it started."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def tail(self, lines: int = 20) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Daemons:
    """The programs of one pair of namespaces, by name."""

    def __init__(self, place: Namespaces, group: Group) -> None:
        self._place, self._group = place, group
        self._daemons: dict[str, Daemon] = {}

    def __getitem__(self, name: str) -> Daemon:
        return self._daemons[name]

    def start(self, name: str, *arguments: str, program: str | Path | None = None, **variables: str) -> Daemon:
        """Start one of the built tools, or another program."""
        command = [str(program or BIN / name), *arguments]
        daemon = self._daemons[name] = Daemon(self._place, self._group, name, command, **variables)
        daemon.start()
        return daemon

    def kill(self) -> None:
        """Kill all of them."""
        for daemon in self._daemons.values():
            daemon.kill()

    def failures(self) -> list[str]:
        """Return the last words of each program that ended by itself."""
        return [f"{item.name} ended:\n{item.tail()}" for item in self._daemons.values() if item.failed]

"""A control group for all processes of a cluster, so that each is ended by its id, whoever started it.

The kernel's own tree is the record: a group is named after the test process that made it, and a later start ends what
the groups of processes that are gone still hold. Namespaces and mounts need no record: they go with their last process.
Both versions of control groups are known, since CI's machines and developers' have different ones.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

PARENT = "episodic-e2e"
NUMBERS = itertools.count(1)
CONTROLLERS = ("cpuset", "cpu", "memory", "pids", "io")
SHARES = "16384"
"""What all pods weigh beside processes of the machine, each of which weighs 1024: as one of them they would starve."""


class Group:
    """A group, in each hierarchy that is mounted."""

    def __init__(self, name: str) -> None:
        self.name = f"{PARENT}/{name}"
        self._roots = hierarchies()

    def create(self) -> None:
        """Make the group, with the CPUs and memory of the whole machine."""
        for root in self._roots:
            _make(root, self.name)

    def child(self, name: str) -> str:
        """Make a group below this one and return its name."""
        child = f"{self.name}/{name}"
        for root in self._roots:
            _make(root, child)
        return child

    def add(self, process: int) -> None:
        """Put a process into the group's child for daemons; what it starts is there as well."""
        for root in self._roots:
            if _is_unified(root) or root.name == "pids":
                (root / self.name / "daemons/cgroup.procs").write_text(str(process))

    def processes(self) -> set[int]:
        """Return the ids of all processes in the group and below."""
        folders = (folder for root in self._roots for folder in _tree(root / self.name))
        return {int(line) for folder in folders for line in _lines(folder / "cgroup.procs")}

    def kill(self, child: str) -> None:
        """Kill every process in a group below this one, by id."""
        folders = (folder for root in self._roots for folder in _tree(root / self.name / child))
        for process in {int(line) for folder in folders for line in _lines(folder / "cgroup.procs")}:
            _kill(process)

    def end(self) -> None:
        """End every process in the group and below, by id, and remove the groups."""
        until = time.monotonic() + 30
        while found := self.processes():
            for process in found:
                _kill(process)
            if time.monotonic() > until:
                raise TimeoutError(f"processes of {self.name} are still there after 30 s: {sorted(found)}")
            time.sleep(0.05)
        for root in self._roots:
            _remove(root / self.name, until)


def own_name() -> str:
    """Return a new name for a group of this process: its id, its start, which no later process has, and a number."""
    return f"{os.getpid()}-{_started(os.getpid())}-{next(NUMBERS)}"


def end_left() -> list[str]:
    """End the groups of test processes that are gone, and return their names."""
    names = {path.name for root in hierarchies() for path in (root / PARENT).glob("*-*") if path.is_dir()}
    left = sorted(name for name in names if _is_over(name))
    for name in left:
        Group(name).end()
    return left


def hierarchies() -> list[Path]:
    """Return the roots of the control groups: one in version 2, one for each controller (and one more) in version 1."""
    whole = Path("/sys/fs/cgroup")
    if _is_unified(whole):
        return [whole]
    return sorted(path for path in whole.iterdir() if (path / "cgroup.procs").exists())


def _is_unified(root: Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _make(root: Path, name: str) -> None:
    path = root
    for part in Path(name).parts:
        if _is_unified(root):
            _delegate(path)
        path /= part
        path.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems") if root.name == "cpuset" else ():
            (path / setting).write_text((path.parent / setting).read_text())
        if path == root / PARENT and (path / "cpu.shares").exists():
            (path / "cpu.shares").write_text(SHARES)


def _delegate(path: Path) -> None:
    offered = (path / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{controller}" for controller in CONTROLLERS if controller in offered)
    if wanted:
        (path / "cgroup.subtree_control").write_text(wanted)


def _tree(path: Path) -> Iterator[Path]:
    """Yield a folder and those below it, the lowest first; some may go meanwhile."""
    return (Path(folder) for folder, _, _ in os.walk(path, topdown=False))


def _remove(path: Path, until: float) -> None:
    """The kernel lets go of a group a moment after its last process."""
    while path.exists():
        for folder in _tree(path):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if path.exists():
            if time.monotonic() > until:
                raise TimeoutError(f"{path} cannot be removed")
            time.sleep(0.05)


def _lines(file: Path) -> Iterator[str]:
    try:
        yield from file.read_text().split()
    except OSError:  # the group is gone
        return


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, os.WNOHANG)


def _started(process: int) -> str:
    """Return when a process started, in ticks since the machine did (proc(5): field 22, counted behind the name)."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]


def _is_over(name: str) -> bool:
    process, started, *_ = name.split("-")
    try:
        return _started(int(process)) != started
    except FileNotFoundError:
        return True

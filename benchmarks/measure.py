"""Running programs and measuring them.

Every program runs as a new process, and what is compared is run in turn, so that a busy machine slows both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.environments import ROOT

ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRON.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's own code is compiled once, not in each run
TICK = 0.05
"""Seconds between two looks at the memory of a program."""


class Program(NamedTuple):
    """Arguments of Python, the folder to run in, and the exit codes that mean success."""

    arguments: Sequence[str]
    folder: Path
    exits: Sequence[int] = (0,)


def _start(program: Program, *, apart: bool = False) -> subprocess.Popen[bytes]:
    command = [sys.executable, *program.arguments]
    return subprocess.Popen(
        command, cwd=program.folder, env=ENVIRON, stdout=subprocess.DEVNULL, start_new_session=apart
    )


def _check(program: Program, exit_code: int) -> None:
    if exit_code not in program.exits:
        sys.exit(f"python {' '.join(program.arguments)} in {program.folder}: exit code {exit_code}")


def seconds(program: Program) -> float:
    """Return how long a program takes."""
    started = time.perf_counter()
    with _start(program) as process:
        exit_code = process.wait()
    taken = time.perf_counter() - started
    _check(program, exit_code)
    return taken


def least(program: Program, rounds: int) -> float:
    """Return the seconds of the fastest of several runs: other work on the machine only ever adds to them."""
    return min(seconds(program) for _ in range(rounds))


def in_turn(*programs: Program, rounds: int) -> list[list[float]]:
    """Return the seconds of each program, one list a program, with the rounds of all run in turn."""
    taken = [[seconds(program) for program in programs] for _ in range(rounds)]
    return [list(column) for column in zip(*taken, strict=True)]


def ratio(measured: Sequence[float], reference: Sequence[float]) -> float:
    """Return how long one program takes against another: the median of the pairs that ran side by side."""
    return median(one / other for one, other in zip(measured, reference, strict=True))


def mebibytes(program: Program) -> float:
    """Return the most memory that a program held at one time, with all of its processes.

    What several share is divided among them: proportional set sizes (kernel documentation, `filesystems/proc.rst`).
    """
    most = 0.0
    with _start(program, apart=True) as process:
        while process.poll() is None:
            most = max(most, sum(map(_proportional, _processes(process.pid))))
            time.sleep(TICK)
    _check(program, process.returncode)
    return most


def _processes(session: int) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if int((process / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                yield process


def _proportional(process: Path) -> float:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 2**10

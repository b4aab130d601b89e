"""What a person sees of a program: what it does while that takes time, what it did, and how long that took."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TextIO

from constructs_lib.base.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

LONG = 2.0
"""From how many seconds on a person wants to know how long something took."""


def say(text: str) -> None:
    """Print a line as it is."""
    _console().print(text, markup=False)


@contextmanager
def step(text: str) -> Generator[None]:
    """Tell that a step runs: by a spinner on a terminal, which ends in how long it took; by a plain line in a log."""
    started = time.monotonic()
    if not _console().is_terminal:
        say(f"{text} …")
        yield
        return
    with _console().status(text):
        yield
    say(f"{text}: {time.monotonic() - started:.0f} s")


def done(summary: str, *, data: bool = False) -> None:
    """Say at the end of a command what it looked at, wrote or changed, and where; on stderr where stdout is `data`."""
    _whole(summary, sys.stderr if data else sys.stdout)


@contextmanager
def timed(program: str) -> Generator[None]:
    """Say on stderr how long a program took, if that was long and its input was not bad."""
    started = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - started
        if seconds > LONG and not isinstance(sys.exception(), ConfigError):
            _whole(f"{program}: took {seconds:.0f} s", sys.stderr)


def _whole(line: str, stream: TextIO) -> None:
    """Write a line by one call, so that nothing of what goes to the other stream comes into its middle."""
    stream.write(f"{line}\n")
    stream.flush()


@cache
def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)

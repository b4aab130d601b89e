"""An end to whatever is waited for: name servers, and those that send a byte now and then, know no other deadline."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class OutOfTime(BaseException):
    """The time is up. It is no `Exception`, for clients would take one for a failure of theirs and try again."""


@contextmanager
def at_most(seconds: float) -> Generator[None]:
    """Raise `OutOfTime` where the block is when it has lasted this long. For the main thread, and not within itself."""
    before = signal.signal(signal.SIGALRM, _end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime

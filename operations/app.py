"""The command line that the command modules add to."""

from __future__ import annotations

import signal
from types import FrameType

import typer

DIFFERENT = 1
"""The exit code of a command that found a difference."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Bootstrap, provision and watch.")


@app.callback()
def commands() -> None:
    """Exit codes: 0 done, 1 a difference was found, 2 something has to be fixed (one sentence each on stderr)."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as with Ctrl-C, so that OpenTofu is given the time to save its state and to release its lock."""
    raise KeyboardInterrupt

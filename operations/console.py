"""What a person sees of a long step: a spinner on a terminal, plain lines in a log."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

SHORTEST = 8
"""Shorter text is no secret of ours, and hiding it would make a log unreadable: `admin`."""


def say(text: str) -> None:
    """Print a line as it is."""
    _console().print(text, markup=False)


@contextmanager
def step(text: str) -> Generator[None]:
    """Tell that a step runs, and how long it took once it is done."""
    started = time.monotonic()
    if not _console().is_terminal:
        say(f"{text} …")
        yield
        return
    with _console().status(text):
        yield
    say(f"{text}: {time.monotonic() - started:.0f} s")


def summarise(markdown: str) -> None:
    """Add Markdown to the summary of the job, if this is one of GitHub Actions."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{markdown.rstrip()}\n\n")


def mask(secret: str) -> None:
    """Ask GitHub Actions to hide a secret wherever a later line of the job's log holds it."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in (line for line in secret.splitlines() if len(line) >= SHORTEST):
            print(f"::add-mask::{line}", flush=True)  # noqa: T201 - a command to the runner, not a line for people


@cache
def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)

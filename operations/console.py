"""What a job of GitHub Actions is told beside what a person sees: its summary, and secrets to hide."""

from __future__ import annotations

import os
from pathlib import Path

SHORTEST = 8
"""Shorter text is no secret of ours, and hiding it would make a log unreadable: `admin`."""


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

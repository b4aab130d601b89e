"""The commands, a file for each group. Each imports what it uses when it runs, so that help takes no time."""

from __future__ import annotations

import signal
from types import FrameType

from gitops_render.program import EXIT_CODES, OPTIONS, program
from operations.commands import bootstrap, environments, provision, recover, review, rotate, trying, vault

app = program(f"Bootstrap, provision and watch. {OPTIONS}", epilog=EXIT_CODES)
for flat in (trying.app, environments.app, review.app, recover.flat):
    app.add_typer(flat)
GROUPS = {"bootstrap": bootstrap, "provision": provision, "vault": vault, "rotate": rotate, "recover": recover}
for name, group in GROUPS.items():
    app.add_typer(group.app, name=name)


@app.callback()
def commands() -> None:
    """Let a job that is stopped end as with Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Give OpenTofu the time to save its state and to release its lock."""
    raise KeyboardInterrupt

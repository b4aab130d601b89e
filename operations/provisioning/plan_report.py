"""Plans, as Markdown that a reviewer reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from constructs_lib.base.console import say
from gitops_render.markdown import block, bold, details, table
from operations.clients.tofu import Change
from operations.console import summarise
from operations.provisioning.moves import moves
from operations.provisioning.needs import NEEDED
from operations.provisioning.planning import Reading
from operations.provisioning.plans import Plans

LONGEST = 100_000
"""Characters of one plan that are shown; a summary of GitHub Actions takes 1 MiB."""


def tell(plans: Plans, readings: Sequence[Reading]) -> None:
    """Say what a stage's plans change, with all of it in the summary of a job."""
    summarise(plans_markdown(plans, readings))
    for planned in plans.stacks:
        say(f"{planned.stack}: {planned.changes} resources to change")
    for name in plans.waiting:
        say(f"{name}: is planned once {NEEDED[plans.stage]} is there")


def plans_markdown(plans: Plans, readings: Sequence[Reading]) -> str:
    """Return what a stage's plans change."""
    what = "Destroying" if plans.destroy else "Provisioning"
    lines = [f"## {what} {plans.environment}: {plans.stage}", "", *readings_markdown(readings)]
    lines += [f"- {bold(entry.stack)} writes into Vault too." for entry in plans.stacks if entry.publishes]
    lines += [f"- {bold(name)} is planned once {NEEDED[plans.stage]} is there." for name in plans.waiting]
    return "\n".join(lines)


def readings_markdown(readings: Sequence[Reading]) -> Iterator[str]:
    """Yield a table of counts, what happens to nodes in words, and each plan as OpenTofu prints it, folded."""
    header = ("stack", "add", "change", "replace", "destroy", "take over")
    yield from table(header, [(reading.stack, *_counts(reading.changes)) for reading in readings])
    words = [f"- {line}" for reading in readings for line in (*moves(reading.changes), *reading.notes)]
    if words:
        yield from ("", *words)
    for reading in readings:
        if reading.changes:
            yield from details(bold(reading.stack), block(reading.text.strip()[:LONGEST]))


def _counts(changes: Sequence[Change]) -> tuple[int, int, int, int, int]:
    actions = [change.actions for change in changes]
    replaced = sum(len(action) == 2 for action in actions)
    imported = sum(change.imported for change in changes)
    return actions.count(("create",)), actions.count(("update",)), replaced, actions.count(("delete",)), imported

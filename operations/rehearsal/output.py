"""A rehearsal as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitops_render.markdown import bold, code, details, escaped, listed
from operations.rehearsal.fates import FATES
from operations.rehearsal.rehearsal import Rehearsal

SHOWN = 8
"""How many objects or layers a line names."""
LONGEST = 300


def to_markdown(rehearsals: Sequence[Rehearsal]) -> Iterator[str]:
    """Yield a line for each environment, then what became of its objects, folded."""
    for one in rehearsals:
        counts = [f"{len(one.fates[fate])} {fate}" for fate in FATES if fate in one.fates]
        refused = [f"{len(one.refused)} refused"] if one.refused else []
        yield f"- {bold(one.environment)}: {', '.join([*refused, *counts]) or 'nothing happens'}"
    for one in rehearsals:
        yield from details(f"{bold(one.environment)}: what was refused, and in which order", _lines(one))


def _lines(one: Rehearsal) -> Iterator[str]:
    for name, why in one.refused.items():
        yield f"- refused: {code(name)}: {shown(why)}"
    if one.waiting:
        yield f"- never applied, for they wait for it: {listed(one.waiting, SHOWN)}"
    for name, why in one.before.items():
        yield f"- refused of what runs already: {code(name)}: {shown(why)}"
    yield from (f"- {fate}: {listed(one.fates[fate], SHOWN)}" for fate in FATES if fate in one.fates)
    yield f"- order of the layers: {', '.join(map(code, one.order))}"
    if one.unchecked:
        yield f"- taken with any field, for nobody has their CRDs: {listed(one.unchecked, SHOWN)}"
    yield f"- asked beside the API server: {f'the webhooks of {listed(one.asked, SHOWN)}' if one.asked else 'nobody'}"
    if one.unrendered:
        yield f"- not installed, for their charts are not there: {listed(one.unrendered, SHOWN)}"


def shown(text: str) -> str:
    """Return what an API server says as Markdown, on one line."""
    text = " ".join(text.split())
    return escaped(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")

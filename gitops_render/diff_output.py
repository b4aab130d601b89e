"""Differences as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from gitops_render.diff import Difference
from gitops_render.fields import Field
from gitops_render.markdown import bold, code, details, table

MARKS = {"added": "+", "removed": "-", "kept": "=", "changed": "~"}
LONGEST = 80
SHOWN_FIELDS = 20
"""How many fields of an object Markdown shows: those of a CRD can be thousands."""
SHOWN_CHANGES = ("added", "changed", "removed", "kept")


def to_text(differences: Sequence[Difference]) -> str:
    """Return a line for each object and each changed field, under a line for each environment and area."""
    lines: list[str] = []
    for (environment, area), found in _grouped(differences):
        lines.append(f"{environment} / {area}")
        for item in found:
            lines.append(f"  {MARKS[item.change]} {item.identity}")
            lines += [f"      {field.path}: {_shown(field.old)} -> {_shown(field.new)}" for field in item.fields]
    return "\n".join(lines) or "no difference"


def to_markdown(differences: Sequence[Difference]) -> str:
    """Return a table of counts, then what changed, folded for each environment."""
    if not differences:
        return "No rendered object changes.\n"
    environments = {name: list(items) for name, items in groupby(differences, key=lambda item: item.environment)}
    counts = [(name, *_counts(items)) for name, items in environments.items()]
    lines = [*table(("environment", *SHOWN_CHANGES), counts)]
    for name, items in environments.items():
        lines += details(f"{bold(name)}: {len(items)} objects", _by_area(items))
    return "\n".join(lines) + "\n"


def _counts(differences: Sequence[Difference]) -> Iterator[int]:
    return (sum(item.change == change for item in differences) for change in SHOWN_CHANGES)


def _by_area(differences: Sequence[Difference]) -> Iterator[str]:
    for position, ((_, area), found) in enumerate(_grouped(differences)):
        yield from ([""] if position else [])
        yield from (f"**{area}**", "")
        for item in found:
            yield f"- {item.change} {code(str(item.identity))}"
            yield from (f"  - {field_markdown(field)}" for field in item.fields[:SHOWN_FIELDS])
            if len(item.fields) > SHOWN_FIELDS:
                yield f"  - and {len(item.fields) - SHOWN_FIELDS} more fields"


def field_markdown(field: Field) -> str:
    """Return a changed field as a line of Markdown."""
    return f"{code(field.path)}: {code(_shown(field.old))} → {code(_shown(field.new))}"


def to_json(differences: Iterable[Difference]) -> str:
    """Return a list of objects with `environment`, `area`, `kind`, `namespace`, `name`, `change` and `fields`."""
    return json.dumps([_plain(item) for item in differences], indent=2, default=str)


def _plain(item: Difference) -> dict[str, Any]:
    kind, namespace, name, _ = item.identity
    place = {"environment": item.environment, "area": item.area}
    what = {"kind": kind, "namespace": namespace, "name": name, "change": item.change}
    return {**place, **what, "fields": [asdict(field) for field in item.fields]}


def _grouped(differences: Iterable[Difference]) -> Iterator[tuple[tuple[str, str], list[Difference]]]:
    for key, found in groupby(differences, key=lambda item: (item.environment, item.area)):
        yield key, list(found)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

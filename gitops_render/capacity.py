"""What pods ask for and what their pools have, as data, for people and for a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from math import ceil, floor
from typing import Any

from constructs_lib.environment import Environment
from constructs_lib.environment.capacity import Place, for_applications, places, quotas
from constructs_lib.environment.fitting import amount
from constructs_lib.kit import Room
from gitops_render.columns import in_columns
from gitops_render.markdown import table

Row = dict[str, Any]
"""One place of an environment as JSON has it: CPU in thousandths of a core, memory in MiB."""

HEADER = ("environment", "pool", "nodes", "cores", "GiB of memory", "volumes")
LEGEND = (
    "Asked for of what the fewest and the most nodes have, less what runs on each of them; the quotas of applications, "
    "of what the platform leaves."
)


def rows(environments: Iterable[Environment]) -> list[Row]:
    """Return a row for each place of each environment, and one for what its applications may ask for."""
    return [row for env in environments for row in _rows(env)]


def cells(found: Iterable[Row]) -> list[tuple[str, ...]]:
    """Return the cells of a table below `HEADER`; what pods ask for, of what there is at least to at most."""
    return [
        (
            row["environment"],
            f"{'quotas in ' if 'quotas' in row else ''}{' and '.join(pool['name'] for pool in row['pools'])}",
            " and ".join(f"{_between(pool['min_nodes'], pool['max_nodes'])} {pool['size']}" for pool in row["pools"]),
            *(_of(row, unit) for unit in Room._fields),
        )
        for row in found
    ]


def to_text(found: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a table in columns."""
    yield from in_columns(HEADER, cells(found))
    yield LEGEND


def to_markdown(before: Sequence[Row], after: Sequence[Row]) -> Iterator[str]:
    """Yield a table of what a change makes differ; no line where that is nothing."""
    old = set(cells(before))
    changed = [row for row in cells(after) if row not in old]
    if changed:
        yield from ("### Capacity", "", LEGEND, "", *table(HEADER, changed), "")


def to_json(found: Sequence[Row]) -> str:
    """Return the rows as JSON."""
    return json.dumps(found, indent=2)


def _rows(env: Environment) -> Iterator[Row]:
    found = places(env)
    yield from (_row(env.name, place) for place in found)
    if env.applications and (place := for_applications(found)) is not None:
        beside = {key: room and room.less(place.asked)._asdict() for key, room in _rooms(place).items()}
        own = {"pods": [], "quotas": [*env.applications], "asked": quotas(env)._asdict()}
        yield {**_row(env.name, place), **own, **beside}


def _rooms(place: Place) -> dict[str, Room | None]:
    numbers = {"at_minimum": place.least, "at_maximum": place.most}
    return {key: place.room(nodes) if place.rooms else None for key, nodes in numbers.items()}


def _row(name: str, place: Place) -> Row:
    return {
        "environment": name,
        "pools": [
            {"name": pool.name, "size": pool.size, "min_nodes": pool.least, "max_nodes": pool.most}
            for pool in place.pools
        ],
        "asked": place.asked._asdict(),
        **{key: room and room._asdict() for key, room in _rooms(place).items()},
        "pods": [
            {"name": str(item), "pods": item.pods, "each": item.each._asdict(), "passing": item.passing}
            for item in place.workloads
        ],
    }


def _of(row: Row, unit: str) -> str:
    if unit == "volumes" and "quotas" in row:
        return "by size"
    asked = amount(unit, row["asked"][unit], ceil)
    if row["at_maximum"] is None:
        return f"{asked} of an unknown size"
    least, most = (amount(unit, row[key][unit], floor) for key in ("at_minimum", "at_maximum"))
    return f"{asked} of {_between(least, most)}"


def _between(least: str | int, most: str | int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"

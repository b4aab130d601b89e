"""What differs between two rendered trees: objects and their fields, by environment and area."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import KEEP_IN_FLUX, Manifest
from gitops_render.objects import Identity, read_tree

HIDDEN = "(not shown)"
"""What stands for the values of a Secret and of what SOPS encrypted."""


class Subject(NamedTuple):
    """An object in an environment and an area: what is compared, wherever its file is."""

    environment: str
    area: str
    identity: Identity


@dataclass(frozen=True)
class Field:
    """A field that differs; a side that lacks it is `None`."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Difference:
    """An object that differs; `fields` tells of a changed one what changed.

    One that Flux does not prune is `kept`: the cluster has it still, and nobody describes it any more.
    """

    environment: str
    area: str
    identity: Identity
    change: Literal["added", "removed", "kept", "changed"]
    fields: tuple[Field, ...] = ()


def diff(old: Path, new: Path) -> list[Difference]:
    """Return how the tree in `new` differs from that in `old`, by environment, area and object.

    A file that only moved is no difference. Raises `ConfigError` for a folder or file that cannot be read.
    """
    before, after = _subjects(old), _subjects(new)
    return [found for key in sorted({*before, *after}) if (found := _compared(key, before.get(key), after.get(key)))]


def _compared(key: Subject, old: Manifest | None, new: Manifest | None) -> Difference | None:
    if old is new or old == new:
        return None
    if old is None or new is None:
        return Difference(*key, "added" if old is None else _gone(old))
    changed = tuple(fields(old, new))
    if key.identity.kind == "Secret" or "sops" in old or "sops" in new:
        changed = tuple(Field(field.path, HIDDEN, HIDDEN) for field in changed)
    return Difference(*key, "changed", changed)


def _gone(old: Manifest) -> Literal["removed", "kept"]:
    marks = old.get("metadata", {}).get("annotations", {})
    return "kept" if KEEP_IN_FLUX.items() <= marks.items() else "removed"


def fields(old: Any, new: Any, path: str = "") -> Iterator[Field]:
    """Yield what differs between two pieces of plain data, each with its path below `path`."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            yield from fields(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from fields(left, right, f"{path}[{position}]")
    else:
        yield Field(path, old, new)


def _subjects(root: Path) -> dict[Subject, Manifest]:
    if not root.is_dir():
        raise ConfigError(f"{root}: is not a folder; give two folders that `render` wrote")
    return {
        Subject(place.environment, place.area, item.identity): item.data
        for place, items in read_tree(root)
        for item in items
    }

"""What differs between two rendered trees: objects and their fields, by environment and area."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import KEEP_IN_FLUX, Manifest
from gitops_render.fields import Field, fields
from gitops_render.immutable import unchangeable
from gitops_render.objects import Identity, files_alike, read_tree

HIDDEN = "(not shown)"
"""What stands for the values of a Secret and of what SOPS encrypted."""


class Subject(NamedTuple):
    """An object in an environment and an area: what is compared, wherever its file is."""

    environment: str
    area: str
    identity: Identity


@dataclass(frozen=True)
class Difference:
    """An object that differs; `fields` tells of a changed one what changed, `refused` what the API server never does.

    One that Flux does not prune, or helm not delete, is `kept`: the cluster has it still, and nobody describes it now.
    """

    environment: str
    area: str
    identity: Identity
    change: Literal["added", "removed", "kept", "changed"]
    fields: tuple[Field, ...] = ()
    refused: tuple[str, ...] = ()


def diff(old: Path, new: Path) -> list[Difference]:
    """Return how the tree in `new` differs from that in `old`, by environment, area and object.

    A file that only moved is no difference, and those that both trees have alike are not parsed. Raises `ConfigError`
    for a folder, or one of the other files, that cannot be read.
    """
    for root in (old, new):
        if not root.is_dir():
            raise ConfigError(f"{root}: is not a folder; give two folders that `render` wrote")
    alike = files_alike(old, new)
    before, after = _subjects(old, alike), _subjects(new, alike)
    return [found for key in sorted({*before, *after}) if (found := compared(key, before.get(key), after.get(key)))]


def in_order(differences: Iterable[Difference]) -> list[Difference]:
    """Return differences by environment, area and object."""
    return sorted(differences, key=lambda item: (item.environment, item.area, item.identity))


def compared(
    key: Subject, old: Manifest | None, new: Manifest | None, keep: Mapping[str, str] = KEEP_IN_FLUX
) -> Difference | None:
    """Return how an object differs on two sides, of which one may lack it; annotations `keep` say what stays."""
    if old is new or old == new:
        return None
    if old is None or new is None:
        return Difference(*key, "added" if old is None else _gone(old, keep))
    changed = tuple(fields(old, new))
    refused = unchangeable(old, new, changed)
    if key.identity.kind == "Secret" or "sops" in old or "sops" in new:
        changed = tuple(Field(field.path, HIDDEN, HIDDEN) for field in changed)
    return Difference(*key, "changed", changed, refused)


def _gone(old: Manifest, keep: Mapping[str, str]) -> Literal["removed", "kept"]:
    marks = old.get("metadata", {}).get("annotations", {})
    return "kept" if keep.items() <= marks.items() else "removed"


def _subjects(root: Path, alike: Container[str]) -> dict[Subject, Manifest]:
    return {
        Subject(place.environment, place.area, item.identity): item.data
        for place, items in read_tree(root, but=alike)
        for item in items
    }

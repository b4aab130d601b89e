"""What differs between two rendered trees: objects and their fields, by environment and area."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Manifest

Change = Literal["added", "removed", "changed"]

HIDDEN = "(not shown)"
"""What stands for the values of a Secret and of what SOPS encrypted."""


class Identity(NamedTuple):
    """What makes an object the same in both trees."""

    environment: str
    area: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.namespace, self.name)))


@dataclass(frozen=True)
class Field:
    """A field that differs; a side that lacks it is `None`."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Difference:
    """An object that differs; `fields` tells of a changed one what changed."""

    identity: Identity
    change: Change
    fields: tuple[Field, ...] = ()


def diff(old: Path, new: Path) -> list[Difference]:
    """Return how the tree in `new` differs from that in `old`, by environment, area and object.

    A file that only moved is no difference. Raises `ConfigError` for a folder or file that cannot be read.
    """
    before, after = _objects(old), _objects(new)
    return [found for key in sorted({*before, *after}) if (found := _compared(key, before.get(key), after.get(key)))]


def _compared(key: Identity, old: Manifest | None, new: Manifest | None) -> Difference | None:
    if old is None or new is None:
        return Difference(key, "added" if old is None else "removed")
    if old == new:
        return None
    found = tuple(fields(old, new))
    if key.kind == "Secret" or "sops" in old or "sops" in new:
        found = tuple(Field(field.path, HIDDEN, HIDDEN) for field in found)
    return Difference(key, "changed", found)


def fields(old: Any, new: Any, path: str = "") -> Iterator[Field]:
    """Yield what differs between two pieces of plain data, each with its path below `path`."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from fields(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from fields(left, right, f"{path}[{position}]")
    else:
        yield Field(path, old, new)


def _objects(root: Path) -> dict[Identity, Manifest]:
    if not root.is_dir():
        raise ConfigError(f"{root}: is not a folder; give two folders that `render` wrote")
    found: dict[Identity, Manifest] = {}
    for path in sorted(root.rglob("*.yaml")):
        place = _place(PurePosixPath(path.relative_to(root)))
        if place is not None:
            for item in _read(path):
                metadata = item["metadata"] if "metadata" in item else {"name": str(path.parent.relative_to(root))}
                key = Identity(*place, item["kind"], metadata.get("namespace", ""), metadata["name"])
                found[key] = item
    return found


def _place(path: PurePosixPath) -> tuple[str, str] | None:
    """Return the environment and the area of a file, or nothing for one that no cluster reads."""
    match path.parts:
        case ("clusters", environment, *_):
            return environment, "cluster"
        case ("platform", area, environment, *_):
            return environment, area
        case ("apps", environment, *_):
            return environment, "apps"
        case _:
            return None


def _read(path: Path) -> list[Manifest]:
    try:
        items = [item for item in yaml.load_all(path.read_bytes(), yaml.CSafeLoader) if item is not None]
    except (OSError, yaml.YAMLError):
        raise ConfigError(f"{path}: cannot be read as YAML; correct it, or render again") from None
    for item in items:
        if not isinstance(item, dict) or "kind" not in item:
            raise ConfigError(f"{path}: holds no Kubernetes object; correct it, or render again")
    return items

"""What differs between two pieces of plain data, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """A field that differs; a side that lacks it is `None`."""

    path: str
    old: Any
    new: Any


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

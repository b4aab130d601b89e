"""To whom belongs what a setting names: to one environment alone, or to whoever says the same.

The type of each setting that names something says it, by `Own` or `COMMON`; a test holds that none is silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Final, NamedTuple

from pydantic import BaseModel


@dataclass(frozen=True)
class Own:
    """It belongs to one environment: no other may name it, nor may another setting of this one.

    `kind` says what it is. The settings `within`, of the same block or one around it, tell things of one name apart.
    With `below`, what lies below a path belongs to it too.
    """

    kind: str
    within: tuple[str, ...] = ()
    below: bool = False


@dataclass(frozen=True)
class Common:
    """Another environment may say the same; of a whole block, all have to."""


@dataclass(frozen=True)
class Named:
    """The kind of a setting that names something, and so has to say whether that is its own."""


COMMON: Final = Common()
NAMED: Final = Named()


class Claim(NamedTuple):
    """What a setting takes for itself; `common` says that it does so for all environments."""

    key: str
    own: Own
    value: Any
    scope: tuple[Any, ...]
    common: bool

    @property
    def near(self) -> tuple[Any, ...]:
        """What it has in common with all that it may meet: of many environments, not each is compared with all."""
        if isinstance(self.value, IPv4Network):
            return self.own.kind, self.scope
        return self.own.kind, self.scope, self.value.partition("/")[0] if self.own.below else self.value

    def meets(self, other: Claim) -> bool:
        """Return whether both, of one kind and scope, name the same thing, or one that holds the other."""
        if isinstance(self.value, IPv4Network):
            return self.value.overlaps(other.value)
        if self.own.below:
            return f"{self.value}/".startswith(f"{other.value}/") or f"{other.value}/".startswith(f"{self.value}/")
        return self.value == other.value


def claims(block: BaseModel, *around: BaseModel, key: str = "", common: bool = False) -> Iterator[Claim]:
    """Yield what the settings of a block take for themselves, and those of the blocks in it."""
    blocks = (block, *around)
    for name, field in type(block).model_fields.items():
        value, where = getattr(block, name), f"{key}{name}"
        for own in (mark for mark in field.metadata if isinstance(mark, Own) and value is not None):
            yield Claim(where, own, value, tuple(_nearest(scope, blocks) for scope in own.within), common)
        for place, inner in _blocks(value, where):
            yield from claims(inner, *blocks, key=f"{place}.", common=common or COMMON in field.metadata)


def _nearest(name: str, blocks: tuple[BaseModel, ...]) -> Any:
    return next(getattr(block, name) for block in blocks if name in type(block).model_fields)


def _blocks(value: Any, where: str) -> Iterator[tuple[str, BaseModel]]:
    """Yield the blocks that a setting holds, alone or in a list."""
    if isinstance(value, BaseModel):
        yield where, value
    elif isinstance(value, tuple):
        items: tuple[Any, ...] = value
        for number, item in enumerate(items):
            yield from _blocks(item, f"{where}[{number}]")

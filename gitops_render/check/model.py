"""What policies look at, and what they find.

A policy is a function that yields what breaks it. Policies look at kinds and fields, never at names, so that an object
that was renamed or written by hand does not escape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Generic, NamedTuple, TypeVar

from constructs_lib.kit import Manifest

FLUX = "kustomize.toolkit.fluxcd.io"
KUSTOMIZE = "kustomize.config.k8s.io"


class Item(NamedTuple):
    """An object and the file that it is in."""

    path: PurePosixPath
    data: Manifest

    @property
    def kind(self) -> str:
        """The object's kind."""
        return self.data["kind"]

    @property
    def group(self) -> str:
        """The object's API group; empty for the core's."""
        return self.data["apiVersion"].rpartition("/")[0]

    @property
    def name(self) -> str:
        """The object's name."""
        return self.data.get("metadata", {}).get("name", "")

    @property
    def namespace(self) -> str:
        """The object's namespace; empty for an object of the cluster."""
        return self.data.get("metadata", {}).get("namespace", "")

    @property
    def annotations(self) -> dict[str, str]:
        """The object's annotations."""
        return self.data.get("metadata", {}).get("annotations", {})

    @property
    def spec(self) -> dict[str, Any]:
        """The object's specification; empty if it has none."""
        return self.data.get("spec") or {}

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.namespace, self.name)))


@dataclass(frozen=True)
class Tree:
    """The rendered objects of one environment."""

    environment: str
    items: tuple[Item, ...]

    def of(self, *kinds: str, group: str = "") -> Iterator[Item]:
        """Yield the objects of these kinds whose API group starts with `group`."""
        return (item for item in self.items if item.kind in kinds and item.group.startswith(group))

    @cached_property
    def tiers(self) -> dict[str, Item]:
        """The Flux Kustomizations by name."""
        return {item.name: item for item in self.of("Kustomization", group=FLUX)}

    @cached_property
    def folders(self) -> dict[str, Item]:
        """The Flux Kustomization that applies a folder, by the folder's path."""
        own = (item for item in self.tiers.values() if item.spec.get("sourceRef", {}).get("name") == "platform")
        return {item.spec["path"].removeprefix("./"): item for item in own}

    def tier_of(self, item: Item) -> Item | None:
        """Return the Flux Kustomization that applies an object."""
        return self.folders.get(str(item.path.parent))

    def waits_for(self, tier: str) -> set[str]:
        """Return every tier that is ready before `tier` starts. A loop ends the search."""
        found: set[str] = set()
        todo = [tier]
        while todo:
            item = self.tiers.get(todo.pop())
            needed = {entry["name"] for entry in item.spec.get("dependsOn", ())} if item else set[str]()
            todo += needed - found
            found |= needed
        return found


class Stack(NamedTuple):
    """The synthesised JSON of a stack and the file that it is in."""

    path: PurePosixPath
    data: dict[str, Any]

    def resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the address and the arguments of every resource of a type."""
        return ((f"{kind}.{name}", found) for name, found in self.data.get("resource", {}).get(kind, {}).items())


class Found(NamedTuple):
    """What breaks a policy: where, which object, and why in one sentence."""

    path: PurePosixPath
    subject: str
    message: str


Subject = TypeVar("Subject", Tree, Stack)
Check = Callable[[Subject], Iterable[Found]]


@dataclass(frozen=True)
class Policy(Generic[Subject]):
    """A rule with the reason for it, what to do where it is broken, and what finds that."""

    id: str
    reason: str
    fix: str
    check: Check[Subject]


@dataclass(frozen=True)
class Finding:
    """A broken policy."""

    policy: str
    file: str
    object: str
    message: str
    fix: str


TREE_POLICIES: list[Policy[Tree]] = []
STACK_POLICIES: list[Policy[Stack]] = []


def tree_policy(id_: str, reason: str, fix: str) -> Callable[[Check[Tree]], None]:
    """Return the decorator that registers a policy on rendered trees."""
    return lambda check: TREE_POLICIES.append(Policy(id_, reason, fix, check))


def stack_policy(id_: str, reason: str, fix: str) -> Callable[[Check[Stack]], None]:
    """Return the decorator that registers a policy on synthesised stacks."""
    return lambda check: STACK_POLICIES.append(Policy(id_, reason, fix, check))


def at(item: Item, message: str) -> Found:
    """Return what was found at an object."""
    return Found(item.path, str(item), message)


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value inside `value` with its path, parents first."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from walk(inner, f"{path}[{position}]")

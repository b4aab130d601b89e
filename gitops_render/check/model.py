"""What policies look at, and what they find.

A policy is a function that yields what breaks it. Policies look at kinds and fields, never at names, so that an object
that was renamed or written by hand does not escape.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Generic, NamedTuple, TypeVar

from constructs_lib.kit import FLUX_KUSTOMIZATION, group
from gitops_render.objects import Item
from gitops_render.paths import PLATFORM_SOURCE, of_flux

FLUX = group(FLUX_KUSTOMIZATION)
KUSTOMIZE = "kustomize.config.k8s.io"


@dataclass(frozen=True)
class Tree:
    """The rendered objects of one environment."""

    environment: str
    items: tuple[Item, ...]

    def of(self, *kinds: str, group: str = "") -> Iterator[Item]:
        """Yield the objects of these kinds whose API group starts with `group`."""
        items = self.by_kind.get(kinds[0], []) if len(kinds) == 1 else self.items
        return (item for item in items if item.kind in kinds and item.group.startswith(group))

    @cached_property
    def by_kind(self) -> dict[str, list[Item]]:
        """The objects by their kind."""
        return _grouped(self.items, lambda item: item.kind)

    @cached_property
    def by_folder(self) -> dict[str, list[Item]]:
        """The objects by the folder of their file."""
        return _grouped(self.items, lambda item: item.folder)

    @cached_property
    def layers(self) -> dict[str, Item]:
        """The Flux Kustomizations by name."""
        return {item.name: item for item in self.of("Kustomization", group=FLUX)}

    @cached_property
    def folders(self) -> dict[str, Item]:
        """The Flux Kustomization that applies a folder, by the folder's path."""
        own = (item for item in self.layers.values() if item.spec.get("sourceRef", {}).get("name") == PLATFORM_SOURCE)
        return {of_flux(item.spec["path"]): item for item in own}

    def layer_of(self, item: Item) -> Item | None:
        """Return the Flux Kustomization that applies an object."""
        return self.folders.get(item.folder)

    def waits_for(self, layer: str) -> frozenset[str]:
        """Return every layer that is ready before `layer` starts. A loop ends the search."""
        known = self._upstream.get(layer)
        if known is None:
            known = self._upstream[layer] = frozenset(self._search(layer))
        return known

    @cached_property
    def _upstream(self) -> dict[str, frozenset[str]]:
        return {}

    def _search(self, layer: str) -> set[str]:
        found: set[str] = set()
        todo = [layer]
        while todo:
            item = self.layers.get(todo.pop())
            needed = {entry["name"] for entry in item.spec.get("dependsOn", ())} if item else set[str]()
            todo += needed - found
            found |= needed
        return found


Key = TypeVar("Key")


def _grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


class StackFile(NamedTuple):
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


Checked = TypeVar("Checked", Tree, StackFile)
Check = Callable[[Checked], Iterable[Found]]


@dataclass(frozen=True)
class Policy(Generic[Checked]):
    """A rule with the reason for it, what to do where it is broken, and what finds that."""

    id: str
    reason: str
    fix: str
    check: Check[Checked]


@dataclass(frozen=True)
class Finding:
    """A broken policy."""

    policy: str
    file: str
    object: str
    message: str
    fix: str


TREE_POLICIES: list[Policy[Tree]] = []
STACK_POLICIES: list[Policy[StackFile]] = []


def tree_policy(id_: str, reason: str, fix: str) -> Callable[[Check[Tree]], None]:
    """Return the decorator that registers a policy on rendered trees."""
    return lambda check: TREE_POLICIES.append(Policy(id_, reason, fix, check))


def stack_policy(id_: str, reason: str, fix: str) -> Callable[[Check[StackFile]], None]:
    """Return the decorator that registers a policy on synthesised stacks."""
    return lambda check: STACK_POLICIES.append(Policy(id_, reason, fix, check))


def at(item: Item, message: str) -> Found:
    """Return what was found at an object."""
    return Found(item.path, str(item.identity), message)


NESTED = (dict, list)


def fields_named(value: Any, keys: Container[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield path, key and value of every field inside `value` that has one of these keys, parents first."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        if isinstance(key, str) and key in keys:
            yield key, key, inner
        if isinstance(inner, NESTED):
            for path, name, found in fields_named(inner, keys):
                yield joined(key, path), name, found


def joined(key: str | int, path: str) -> str:
    """Return the path to a field inside what stands at `key`. Few are found: none is joined on the way to it."""
    first = key if isinstance(key, str) else f"[{key}]"
    return f"{first}{path}" if path.startswith("[") else f"{first}.{path}"

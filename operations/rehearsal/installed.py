"""What charts make, in a rehearsal: the part of helm-controller, with the charts that `CHARTS` names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import KEEP_IN_HELM, Manifest, group
from gitops_render.helm import Charts, charts_named
from gitops_render.immutable import HOOK
from gitops_render.objects import Item
from gitops_render.releases import Release, releases
from operations.rehearsal.api_server import ApiServer
from operations.rehearsal.webhooks import KINDS

APPLIED = "serverside-applied"


class Made(NamedTuple):
    """What a release makes: the namespace that it is installed into, its objects, and whether they outlive it."""

    namespace: str
    items: tuple[Manifest, ...]
    stays: bool


Releases: TypeAlias = Mapping[str, Made]
"""What is made, by the name of the release."""


class Sides(NamedTuple):
    """What the releases of two trees make, and those of which it cannot be said, since their chart is not there."""

    old: Releases
    new: Releases
    unrendered: tuple[str, ...]


def read_releases(environment: str, old: Path, new: Path) -> Sides:
    """Return what the releases of an environment make in two trees; nothing where nobody named the charts.

    Raises `ConfigError` where charts are named and helm is not there.
    """
    charts = charts_named()
    if charts is None:
        return Sides({}, {}, ())
    before, after = (releases(tree).get(environment, {}) for tree in (old, new))
    left: dict[str, Made] = {}
    right: dict[str, Made] = {}
    unrendered: list[str] = []
    for name in sorted({*before, *after}):
        try:
            # Rendered once where it is the same: charts make random values.
            sides = {side for side in (before.get(name), after.get(name)) if side is not None}
            found = {side: _made(side, charts) for side in sides}
        except ConfigError:
            unrendered.append(name)
            continue
        left |= {name: found[before[name]]} if name in before else {}
        right |= {name: found[after[name]]} if name in after else {}
    return Sides(left, right, tuple(unrendered))


def _made(release: Release, charts: Charts) -> Made:
    """Return what a release makes, but for hooks, which are jobs."""
    if release.asked is None:
        raise ConfigError("its HelmRelease is not as this program writes it")
    made = charts.made(release.asked)
    items = tuple(item for item in made if HOOK not in item["metadata"].get("annotations", {}))
    return Made(release.asked.namespace, items, release.stays)


def placed(made: Releases, is_namespaced: Callable[[Manifest], bool]) -> None:
    """Give the objects of releases the namespace that helm gives them."""
    for one in made.values():
        for item in filter(is_namespaced, one.items):
            item["metadata"].setdefault("namespace", one.namespace)


def install(server: ApiServer, made: Releases) -> dict[str, str]:
    """Apply what releases make, and return why those are refused that are."""
    refused: dict[str, str] = {}
    for name, one in made.items():
        items = [item for item in one.items if item["kind"] not in KINDS]
        said = server.apply(*items, code=None) if items else ""
        why = [line for line in said.splitlines() if not line.endswith(APPLIED) and not line.startswith("Warning:")]
        if why:
            refused[name] = " ".join(why)
    return refused


def uninstall(server: ApiServer, old: Releases, new: Releases) -> None:
    """Delete what releases made and make no more, but for what helm keeps, and what outlives its release."""
    left = {Item(PurePosixPath(), item).identity for one in new.values() for item in one.items}
    for name, one in old.items():
        for item in one.items if name in new or not one.stays else ():
            identity = Item(PurePosixPath(), item).identity
            if identity not in left and not KEEP_IN_HELM.items() <= item["metadata"].get("annotations", {}).items():
                where = ("--namespace", identity.namespace) if identity.namespace else ()
                kind = f"{item['kind']}.{group(item['apiVersion'])}".rstrip(".")
                server.kubectl("delete", kind, identity.name, *where, "--ignore-not-found", "--wait=false", code=None)


def there(made: Releases, namespaces: Collection[str]) -> tuple[Releases, Releases]:
    """Return the releases whose namespace is there, and the others."""
    ready = {name: one for name, one in made.items() if one.namespace in namespaces}
    return ready, {name: one for name, one in made.items() if name not in ready}

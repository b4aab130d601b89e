"""What the releases of a tree make: how the objects of charts differ between two trees, as helm renders them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from constructs_lib.base.change import Plain
from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import KEEP_IN_FLUX, KEEP_IN_HELM, Manifest
from gitops_render.charts import chart_name, chart_version
from gitops_render.diff import Difference, Subject, compared
from gitops_render.fields import fields
from gitops_render.helm import Asked, Charts, charts_named
from gitops_render.objects import Identity, Item, read_tree
from gitops_render.settings import read_settings

RELEASES = frozenset({"HelmRelease", "OCIRepository"})
"""The kinds by which a tree says what is installed of which chart."""
FOR_PEOPLE = frozenset({"metadata.labels.helm.sh/chart", "metadata.labels.app.kubernetes.io/version"})
"""Labels by which a chart says its version on everything; those of pods count, for they restart them."""


class Made(NamedTuple):
    """How what charts make differs, and by environment a sentence for each release of which that cannot be said.

    It is not `rendered` where nobody named the charts.
    """

    objects: list[Difference]
    unjudged: Mapping[str, list[str]]
    rendered: bool = True


class Release(NamedTuple):
    """A release of a tree: what helm is asked for, and whether it stays in the cluster when the tree has it no more."""

    asked: Asked | None
    stays: bool


def made_by_charts(old: Path | None, new: Path) -> Made:
    """Return `made_differently` by the charts that `CHARTS` names; nothing without them, or without an old tree.

    Raises `ConfigError` where charts are named and helm is not there.
    """
    charts = charts_named()
    return made_differently(old, new, charts) if old and charts else Made([], {}, rendered=charts is not None)


def made_differently(old: Path, new: Path, charts: Charts) -> Made:
    """Return how what the releases of two trees make differs, for the environments that are in both.

    Raises `ConfigError` for a tree that cannot be read.
    """
    before, after = releases(old), releases(new)
    found: list[Difference] = []
    unjudged: dict[str, list[str]] = {}
    for environment in sorted(before.keys() & after.keys()):
        left, right = before[environment], after[environment]
        for name in sorted(name for name in {*left, *right} if left.get(name) != right.get(name)):
            try:
                found += _differing(environment, name, (left.get(name), right.get(name)), charts)
            except ConfigError as error:
                unjudged.setdefault(environment, []).append(f"what the chart of {name} makes: {error}")
    return Made(found, unjudged)


def releases(tree: Path) -> dict[str, dict[str, Release]]:
    """Return the releases of each environment in a tree by their names. Raises `ConfigError` as `read_tree` does."""
    items: dict[str, list[Item]] = {}
    for place, found in read_tree(tree):
        items.setdefault(place.environment, []).extend(found)
    settings = read_settings(tree)
    return {name: dict(_releases(held, _kubernetes(settings.get(name, {})))) for name, held in items.items()}


def _kubernetes(settings: Mapping[str, Plain]) -> str | None:
    """Return the version of Kubernetes that charts are rendered for, if the tree says its settings."""
    return f"{settings['cluster']['kubernetes_minor']}.0" if "cluster" in settings else None


def _releases(items: Sequence[Item], kubernetes: str | None) -> Iterator[tuple[str, Release]]:
    sources = {item.name: item.spec for item in items if item.kind == "OCIRepository"}
    for item in items:
        if item.kind == "HelmRelease":
            stays = KEEP_IN_FLUX.items() <= item.annotations.items()
            yield item.name, Release(_asked(item.spec, sources, kubernetes), stays)


def _asked(spec: Manifest, sources: Mapping[str, Manifest], kubernetes: str | None) -> Asked | None:
    """Return what the `spec` of a HelmRelease asks helm for; nothing where another program wrote it another way."""
    try:
        chart, version = chart_name(spec), chart_version(spec, sources)
        values = json.dumps(spec.get("values", {}), default=str)
        return Asked(spec["releaseName"], spec["targetNamespace"], chart, version, values, kubernetes)
    except KeyError:
        return None


def _differing(
    environment: str, name: str, sides: tuple[Release | None, Release | None], charts: Charts
) -> Iterator[Difference]:
    """Yield how what two versions of a release make differs, but for what is another each time that it is made."""
    old, new = sides
    if new is None and old is not None and old.stays:
        return
    before, after, again = (_made(side, charts) for side in (old, new, new))
    for identity in sorted({*before, *after}):
        left, right = before.get(identity), after.get(identity)
        found = compared(Subject(environment, f"release {name}", identity), left, right, KEEP_IN_HELM)
        if found is not None and found.fields:
            chance = {field.path for field in fields(right, again.get(identity))}
            told = tuple(field for field in found.fields if field.path not in chance | FOR_PEOPLE)
            found = replace(found, fields=told) if told else None
        if found is not None:
            yield found


def _made(release: Release | None, charts: Charts) -> dict[Identity, Manifest]:
    """Return what a release makes, by its identity without the release's own namespace, which a chart may leave out."""
    if release is None:
        return {}
    if release.asked is None:
        raise ConfigError("its HelmRelease is not as this program writes it, so it is not rendered")
    made: dict[Identity, Manifest] = {}
    for data in charts.made(release.asked):
        identity = Item(PurePosixPath(), data).identity
        own = identity.namespace == release.asked.namespace
        made[identity._replace(namespace="") if own else identity] = data
        if own:
            del data["metadata"]["namespace"]
    return made

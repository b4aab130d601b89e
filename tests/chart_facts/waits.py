"""Rules of waiting: each yields a line for every layer that would wait for what cannot come."""

from __future__ import annotations

import re
from collections.abc import Iterator

from constructs_lib.kit import Layer, LayerId, Manifest, group
from tests.chart_facts.cluster import Running
from tests.chart_facts.defaults import resource, secrets_of
from tests.chart_facts.facts import OWN_GROUPS, kind_of

FIELD = re.compile(r"\bstatus\.(\w+)")
"""A field of the status in a CEL expression."""
FLUX = "toolkit.fluxcd.io"
"""The end of the groups that are there before any layer."""


def kind_not_there_yet(running: Running) -> Iterator[str]:
    """Yield the custom kinds of a layer that nothing brings before it: no chart's CRDs, no operator without a chart."""
    for layer, before in _with_those_before(running):
        known = {name for one in before for name in (*_crds(running, one), *_groups_without_chart(running, one))}
        for item in layer.manifests:
            name = group(item["apiVersion"])
            if not OWN_GROUPS.fullmatch(name) and not name.endswith(FLUX) and not {name, _kind(item)} & known:
                yield f"{layer.id}: {_kind(item)}"


def wait_for_no_object(running: Running) -> Iterator[str]:
    """Yield the kinds that a layer says it waits for, and has none of."""
    facts = dict(running.facts)
    for layer in running.env.layers:
        kinds = {kind_of(item) for item in layer.manifests}
        kinds |= {kind for release in layer.releases for kind in facts.get(release.name, {}).get("makes", ())}
        yield from (
            f"{layer.id}: {one.kind}" for one in layer.ready if f"{group(one.api_version)}/{one.kind}" not in kinds
        )


def wait_for_no_field(running: Running) -> Iterator[str]:
    """Yield the fields by which a kind counts as ready that its CRD does not have, so that none ever does."""
    known = {name: fields for _, facts in running.facts for name, fields in facts.get("status", {}).items()}
    unknown = {name for layer in running.env.layers for name in _groups_without_chart(running, layer)}
    for layer in running.env.layers:
        for one in (ready for ready in layer.ready if group(ready.api_version) not in unknown):
            there = known.get(resource(f"{group(one.api_version)}/{one.kind}"), ())
            missing = sorted(set(FIELD.findall(one.current)) - set(there))
            yield from (f"{layer.id}: {one.kind} {field}" for field in missing)


def secret_comes_later(running: Running) -> Iterator[str]:
    """Yield the Secrets that a release's pods wait for and that only a layer makes which waits for this one."""
    facts = dict(running.facts)
    made = {layer.id: {(place, name) for place, name, _ in secrets_of(layer)} for layer in running.env.layers}
    everywhere = {secret for secrets in made.values() for secret in secrets}
    for layer, before in _with_those_before(running):
        there = {secret for one in (layer, *before) for secret in made[one.id]}
        for release in layer.releases:
            needed = {(release.namespace, name) for name in facts.get(release.name, {}).get("needs_secrets", ())}
            yield from (f"{layer.id}: {release.name} {name}" for _, name in sorted(needed & everywhere - there))


def _with_those_before(running: Running) -> Iterator[tuple[Layer, tuple[Layer, ...]]]:
    """Yield each layer with all that are ready before it is applied."""
    before: dict[LayerId, dict[LayerId, Layer]] = {}
    by_id = {layer.id: layer for layer in running.env.layers}
    for layer in running.env.layers:  # each comes after those it needs
        before[layer.id] = {}
        for name in layer.after:
            before[layer.id] |= before[name] | {name: by_id[name]}
        yield layer, tuple(before[layer.id].values())


def _crds(running: Running, layer: Layer) -> Iterator[str]:
    facts = dict(running.facts)
    for release in layer.releases:
        for names in facts.get(release.name, {}).get("crds", {}).values():
            yield from (f"{name.partition('.')[2]}/{name.partition('.')[0]}" for name in names)


def _groups_without_chart(running: Running, layer: Layer) -> Iterator[str]:
    """Yield the groups of operators that a layer installs from a repository, whose CRDs no facts hold."""
    sources = {item["metadata"]["name"] for item in layer.manifests if item["kind"] == "GitRepository"}
    for component in running.env.platform.enabled.values():
        yield from (name for one in component.operators if one.name in sources for name in one.groups)


def _kind(item: Manifest) -> str:
    return resource(kind_of(item))

"""Every layer says when the objects in it are ready: Flux counts what has no conditions yet as current at once.

Upstream: fluxcd/cli-utils v1.2 `pkg/kstatus/README.md`, "The Ready condition"; `status` of each kind from its CRD.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Layer
from tests.chart_facts.cluster import Running
from tests.chart_facts.facts import OWN_GROUPS, kind_of
from tests.support import ROOT, everything

NO_STATUS = "its CRD has no status that says anything"
IN_USE = "read by Traefik when a request comes; no status"
MONITOR = "Prometheus' operator reads it; its status says who did, not whether it works"
OBSERVABILITY = "applications do not wait for telemetry, and its own alerts say when it fails"
SAYS_SO = "Flux' own kinds say that they are in progress from the moment they are made (observedGeneration: -1)"

WITHOUT = {
    "ObjectStore": "its status lists what was archived: nothing, at first",
    "ScheduledBackup": "a schedule, which is always taken; the age of the last backup is an objective",
    "Middleware": IN_USE,
    "TLSOption": IN_USE,
    "TLSStore": IN_USE,
    "Issuer": "a chart's own, of which it makes certificates at once; those are waited for",
    "PodMonitor": MONITOR,
    "ServiceMonitor": MONITOR,
    "PrometheusRule": MONITOR,
    "Instrumentation": NO_STATUS,
    "OpenTelemetryCollector": OBSERVABILITY,
    "OpenSearchCluster": OBSERVABILITY,
    "OpenSearchISMPolicy": OBSERVABILITY,
    "OpensearchIndexTemplate": OBSERVABILITY,
    "OpensearchRole": OBSERVABILITY,
    "OpensearchUser": OBSERVABILITY,
    "OpensearchUserRoleBinding": OBSERVABILITY,
    "Alert": NO_STATUS,
    "Provider": NO_STATUS,
    "GitRepository": SAYS_SO,
    "Kustomization": SAYS_SO,
}
"""Kinds for which no layer has a `Ready`, and why."""

ENVIRONMENTS = (*load_all(ROOT / "environments"), everything())


def custom_kinds(running: Running, layer: Layer) -> Iterator[str]:
    facts = dict(running.facts)
    made = (name for release in layer.releases for name in facts[release.name].get("makes", ()))
    for name in (*map(kind_of, layer.manifests), *made):
        group, _, kind = name.rpartition("/")
        if not OWN_GROUPS.fullmatch(group):
            yield kind


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
def test_every_custom_kind_of_a_layer_has_a_ready_or_a_reason(env: Environment) -> None:
    running = Running(env)
    for layer in env.layers:
        missing = set(custom_kinds(running, layer)) - {ready.kind for ready in layer.ready} - set(WITHOUT)
        assert not missing, f"layer {layer.id}: {sorted(missing)} count as ready at once; add a Ready, or a reason here"


def test_no_reason_is_left_of_a_kind_that_is_gone_or_has_a_ready() -> None:
    running = Running(everything())
    layers = running.env.layers
    assert set(WITHOUT) <= {kind for layer in layers for kind in custom_kinds(running, layer)}
    assert not set(WITHOUT) & {ready.kind for layer in layers for ready in layer.ready}


def test_an_expression_asks_whether_the_field_is_there_yet() -> None:
    for ready in {ready for env in ENVIRONMENTS for layer in env.layers for ready in layer.ready}:
        assert ready.current.startswith("has(status."), f"{ready.kind}: fails before its operator writes a status"

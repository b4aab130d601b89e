"""What components say of their operators, which `check` reads, is what they render."""

from __future__ import annotations

from constructs_lib.kit import KEEP_IN_FLUX, Pods, group
from constructs_lib.platform import OPERATORS
from tests.support import everything

ENV = everything()
MANIFESTS = [item for layer in ENV.layers for item in layer.manifests]
OTHERS = (".fluxcd.io", ".k8s.io", "apps", "batch", "policy", "")
"""API groups of Kubernetes, of Gateway API and of Flux, which no component brings."""


def is_own(api_group: str) -> bool:
    return api_group not in OTHERS and not api_group.endswith((".fluxcd.io", ".k8s.io"))


def test_every_kind_that_is_rendered_is_brought_by_an_operator() -> None:
    used = {group(item["apiVersion"]) for item in MANIFESTS}
    brought = [name for operator in OPERATORS for name in operator.groups]
    assert {name for name in used if is_own(name)} <= set(brought)
    assert len(brought) == len(set(brought)), "two operators bring one group"


def test_every_operator_is_installed_under_its_name() -> None:
    charts = {item.chart.name for layer in ENV.layers for item in layer.releases}
    sources = {item["metadata"]["name"] for item in MANIFESTS if item["kind"] == "GitRepository"}
    assert {operator.name for operator in OPERATORS} <= charts | sources


def test_what_holds_data_is_what_is_kept() -> None:
    kept = {
        (group(item["apiVersion"]), item["kind"])
        for item in MANIFESTS
        if KEEP_IN_FLUX.items() <= item["metadata"].get("annotations", {}).items()
    }
    said = {(name, kind) for operator in OPERATORS for name in operator.groups for kind in operator.data}
    # The age key is a copy of what Vault has; but without it Flux reads nothing.
    assert kept - {("", "Namespace"), ("external-secrets.io", "ExternalSecret")} == said


def test_every_webhook_is_said_and_can_be_called() -> None:
    said = {operator.webhook for operator in OPERATORS if operator.webhook is not None}
    rendered = {
        link
        for link in ENV.platform.links(ENV)
        if not isinstance(link.source, Pods) and isinstance(link.target, Pods) and link.target.namespace != "traefik"
    }
    assert {(str(link.target), link.ports) for link in said} == {(str(link.target), link.ports) for link in rendered}

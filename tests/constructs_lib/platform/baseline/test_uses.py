"""An application reaches the services that it names, and no other: read from the rendered policies of both sides."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from constructs_lib.environment import Environment
from constructs_lib.environment.applications import SERVICES as COMPONENTS
from constructs_lib.kit import Pods
from tests.constructs_lib.platform import said
from tests.support import environment, environment_data

SERVICES = {"postgres": ("databases", 5432), "rabbitmq": ("messaging", 5671), "valkey": ("cache", 6379)}
LABELS = {
    "postgres": ("cnpg.io/cluster", {}),
    "rabbitmq": ("app.kubernetes.io/name", {"app.kubernetes.io/component": "rabbitmq"}),
    "valkey": ("app.kubernetes.io/instance", {"app.kubernetes.io/component": "valkey"}),
}
"""The label with a cluster's name, and the others of its pods, as its operator sets them (`operand_facts.yaml`)."""


def with_apps(**apps: dict[str, Any]) -> Environment:
    """Return the sandbox with applications, and with a second cluster of each service."""
    changes = {}
    for component in COMPONENTS.values():
        first = environment_data()["platform"][component]["clusters"][0]
        changes[f"platform__{component}"] = {"clusters": [first, {**first, "name": "other"}]}
    return environment(applications={name: {"owner": "a", **app} for name, app in apps.items()}, **changes)


def opens(env: Environment, pods: Pods, way: str, other: Pods, port: int) -> bool:
    """Return whether the policies of some pods let others, or let them go to others, on a port."""
    side = "to" if way == "egress" else "from"
    for layer in env.layers:
        for item in layer.manifests:
            here = item["kind"] == "NetworkPolicy" and item["metadata"]["namespace"] == pods.namespace
            if here and selects(item["spec"]["podSelector"], pods):
                for rule in item["spec"].get(way, ()):
                    peers = (peer for peer in rule.get(side, ()) if "podSelector" in peer)
                    if any(is_peer(peer, pods, other) for peer in peers) and port in said_ports(rule):
                        return True
    return False


def selects(selector: dict[str, Any], pods: Pods) -> bool:
    return selector.get("matchLabels", {}).items() <= pods.labels.items()


def is_peer(peer: dict[str, Any], pods: Pods, other: Pods) -> bool:
    near = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name", pods.namespace)
    return near == other.namespace and selects(peer["podSelector"], other)


def said_ports(rule: dict[str, Any]) -> set[int]:
    return {port["port"] for port in rule["ports"]}


def reached(env: Environment, app: str) -> set[tuple[str, str]]:
    """Return the clusters that an application's pods reach, by service and name, where both sides allow it."""
    source = Pods(app, "pod", {"app": "any"})
    found = set[tuple[str, str]]()
    for service, (namespace, port) in SERVICES.items():
        for name in ("main", "other"):
            label, others = LABELS[service]
            target = Pods(namespace, "pod", {label: name, **others})
            out = opens(env, source, "egress", target, port)
            if out and opens(env, target, "ingress", source, port):
                found.add((service, name))
    return found


def test_an_application_that_names_nothing_reaches_nothing() -> None:
    env = with_apps(shop={}, blog={"uses": {name: {"main": {}, "other": {}} for name in SERVICES}})
    assert reached(env, "shop") == set()
    assert reached(env, "blog") == {(service, name) for service in SERVICES for name in ("main", "other")}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", ["main", "other"])
def test_an_application_reaches_what_it_names(service: str, name: str) -> None:
    env = with_apps(shop={"uses": {service: {name: {}}}}, blog={})
    assert reached(env, "shop") == {(service, name)}
    assert reached(env, "blog") == set()


def test_an_application_that_uses_vault_is_told_where_it_is_and_gets_there() -> None:
    env = with_apps(shop={"uses": {"vault": True}}, blog={})
    told = [
        item["metadata"]["namespace"]
        for layer in env.layers
        for item in layer.manifests
        if item["metadata"]["name"] == "vault-contract"
    ]
    assert told == ["shop"]
    ways = [line for line in said.links("vault_eso", env) if "/apps" in line]
    assert ways == ["shop/apps -> the internet: 8200"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_cluster_that_is_not_there_is_refused(service: str) -> None:
    sentence = (
        rf"applications.shop.uses.{service}.mian: unknown cluster of {COMPONENTS[service]} 'mian', "
        "known are main, other"
    )
    with pytest.raises(ValidationError, match=f"{sentence}; did you mean 'main'"):
        with_apps(shop={"uses": {service: {"mian": {}}}})


def test_a_service_that_is_off_cannot_be_used() -> None:
    apps = {"shop": {"owner": "a", "uses": {"valkey": {"main": {}}}}}
    why = r"applications\.shop\.uses\.valkey\.main: 'main' is no cluster: valkey_operator has none; add it or remove"
    off = {"enabled": False, "clusters": [{"name": "main"}]}
    with pytest.raises(ValidationError, match=why):
        environment(applications=apps, platform__valkey_operator=off)

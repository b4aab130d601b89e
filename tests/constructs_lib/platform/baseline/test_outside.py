"""What is outside is no pod, no Service, no node and not where a machine learns its secrets: each is tried."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import API_SERVER, NODES, Pods
from tests.support import ROOT, environment, everything

ENVIRONMENTS = (*load_all(ROOT / "environments"), everything())
every_environment = pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)
WORLD = "93.184.215.14"
POD, SERVICE, METADATA = "10.244.3.7", "10.245.0.10", "169.254.169.254"
BY_PORT_ALONE = ({443, 6443, 16443}, {9100, 10250})
"""The API server and the nodes, which no address range names under Cilium."""


def ways(env: Environment, way: str = "egress") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each rule of a network policy, with the policy's address."""
    for layer in env.layers:
        for item in layer.manifests:
            if item["kind"] == "NetworkPolicy":
                where = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
                yield from ((where, rule) for rule in item["spec"].get(way, ()))


def names(rule: dict[str, Any], address: str) -> bool:
    """Return whether a rule names an address: as Kubernetes does, a peer for everybody is none at all."""
    if "to" not in rule:
        return True
    blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
    found = ip_address(address)
    return any(
        found in ip_network(block["cidr"]) and not any(found in ip_network(cut) for cut in block.get("except", ()))
        for block in blocks
    )


def goes_by_port_alone(rule: dict[str, Any]) -> bool:
    return "to" not in rule and {port["port"] for port in rule["ports"]} in BY_PORT_ALONE


def reaching(env: Environment, address: str) -> set[tuple[str, int]]:
    """Return who may send to an address, and to which port, but for what goes by port alone."""
    return {
        (where, port["port"])
        for where, rule in ways(env)
        if names(rule, address) and not goes_by_port_alone(rule)
        for port in rule["ports"]
    }


@every_environment
def test_nobody_reaches_the_metadata_of_a_droplet_but_the_agent(env: Environment) -> None:
    assert reaching(env, METADATA) == {("observability-agents/otel-agent", 80)}


@every_environment
@pytest.mark.parametrize("what", ["pod", "service", "node"])
def test_what_is_inside_is_not_outside(env: Environment, what: str) -> None:
    address = {"pod": POD, "service": SERVICE, "node": str(env.vpc_range[5])}[what]
    assert reaching(env, address) == set()


@every_environment
def test_the_world_is_outside(env: Environment) -> None:
    assert {("episodic/apps", 443), ("cert-manager/controller", 53)} <= reaching(env, WORLD)


def test_the_ranges_that_a_file_names_are_inside() -> None:
    env = environment(cluster__network={"cluster_subnet": "10.64.0.0/16", "service_subnet": "10.65.0.0/20"})
    assert reaching(env, "10.64.1.1") == reaching(env, "10.65.1.1") == set()


def test_only_who_calls_the_api_server_or_the_nodes_goes_by_port_alone() -> None:
    env = everything()
    callers = {
        f"{link.source.namespace}/{link.source.name}"
        for link in env.platform.links(env)
        if link.target in (API_SERVER, NODES) and isinstance(link.source, Pods)
    }
    alone = {where for where, rule in ways(env) if "to" not in rule}
    assert alone <= callers
    assert "episodic/apps" not in alone
    assert all(goes_by_port_alone(rule) for _, rule in ways(env) if "to" not in rule)


def test_a_neighbour_in_the_network_of_the_nodes_is_reached_and_nobody_beside_it() -> None:
    env = environment(cluster__network={"neighbours": ["10.20.9.0/28"]})
    assert ("external-secrets/controller", 8200) in reaching(env, "10.20.9.3")
    assert reaching(env, "10.20.9.16") == set()

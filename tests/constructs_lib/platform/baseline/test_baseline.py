"""Namespaces, rights, and networks that are closed but for what components declare."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Pods, Port, Udp
from tests.constructs_lib.platform import said
from tests.support import ROOT, environment, everything

ENVIRONMENTS = (*load_all(ROOT / "environments"), everything())
OPEN = {"kube-system", "flux-system"}
"""Namespaces that others close, or do not."""
every_environment = pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: env.name)


def of_kind(env: Environment, kind: str) -> list[dict[str, Any]]:
    return [item for layer in env.layers for item in layer.manifests if item["kind"] == kind]


def policies(env: Environment) -> dict[tuple[str, str], dict[str, Any]]:
    found = of_kind(env, "NetworkPolicy")
    return {(item["metadata"]["namespace"], item["metadata"]["name"]): item["spec"] for item in found}


@every_environment
def test_every_namespace_is_closed_but_for_dns(env: Environment) -> None:
    found = policies(env)
    for item in of_kind(env, "Namespace"):
        name = item["metadata"]["name"]
        assert found[name, "default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        (rule,) = found[name, "allow-dns"]["egress"]
        assert [(port["port"], port["protocol"]) for port in rule["ports"]] == [(53, "UDP"), (53, "TCP")]


def test_the_api_server_is_named_to_cilium_where_that_is_asked_for() -> None:
    assert of_kind(environment(), "CiliumNetworkPolicy") == []
    env = environment(cluster__network_policies="cilium")
    found = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in of_kind(env, "CiliumNetworkPolicy")}
    plain = policies(env)
    assert found >= {("traefik", "traefik-api-server"), ("cert-manager", "webhook-api-server")}
    assert {(namespace, name.removesuffix("-api-server")) for namespace, name in found} <= plain.keys()
    assert len(plain) == len(policies(environment())), "they stand beside the plain ones"


@every_environment
def test_every_object_and_release_goes_into_a_namespace_that_is_made(env: Environment) -> None:
    made = {item["metadata"]["name"] for item in of_kind(env, "Namespace")} | {"flux-system"}
    used = {release.namespace for layer in env.layers for release in layer.releases}
    used |= {
        item["metadata"]["namespace"]
        for layer in env.layers
        for item in layer.manifests
        if "namespace" in item["metadata"]
    }
    assert used <= made


@every_environment
def test_what_may_be_reached_from_everywhere(env: Environment) -> None:
    """Without a peer a rule opens a port to all the world: only ingress and admission webhooks need that."""
    open_ports = {
        (key, port["port"])
        for key, spec in policies(env).items()
        for rule in spec.get("ingress", [])
        if "from" not in rule
        for port in rule["ports"]
    }
    webhooks = {9443, 10250}
    assert {(key, port) for key, port in open_ports if port not in webhooks} == {
        (("traefik", "traefik"), 8000),
        (("traefik", "traefik"), 8443),
    }


@every_environment
def test_both_sides_of_a_link_are_open(env: Environment) -> None:
    links = list(env.platform.links(env))
    found = policies(env)
    assert len(links) > 50
    for source, target, ports in links:
        if isinstance(source, Pods) and source.namespace not in OPEN:
            assert opened(found[source.namespace, source.name]["egress"]) >= set(map(wanted, ports))
        if isinstance(target, Pods) and target.namespace not in OPEN:
            assert opened(found[target.namespace, target.name]["ingress"]) >= set(map(wanted, ports))


def opened(rules: list[dict[str, Any]]) -> set[tuple[str, int, int]]:
    """Return protocol, first and last of each port that rules open."""
    ports = [port for rule in rules for port in rule["ports"]]
    return {(port["protocol"], port["port"], port.get("endPort", port["port"])) for port in ports}


def wanted(port: Port) -> tuple[str, int, int]:
    if isinstance(port, Udp):
        return "UDP", port.number, port.number
    return ("TCP", *port) if isinstance(port, tuple) else ("TCP", port, port)


def test_applications_get_their_namespace_and_rights_in_it_alone() -> None:
    env = environment(applications={"shop": {"owner": "a", "hosts": {"www": {"port": 9000}}}})
    bound, token = [item for item in of_kind(env, "RoleBinding") if item["metadata"]["namespace"] == "shop"]
    assert (bound["roleRef"]["kind"], bound["roleRef"]["name"]) == ("ClusterRole", "platform-apps")
    assert (token["roleRef"]["kind"], token["roleRef"]["name"]) == ("Role", "vault-token")
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "flux-app-shop", "namespace": "flux-system"}]
    everywhere = [one["name"] for item in of_kind(env, "ClusterRoleBinding") for one in item["subjects"]]
    assert "flux-app-shop" not in everywhere
    (space,) = [item for item in of_kind(env, "Namespace") if item["metadata"]["name"] == "shop"]
    assert space["metadata"]["labels"]["app.kubernetes.io/part-of"] == "apps", "no store of the platform serves it"
    to_shop = [rule for rule in policies(env)["traefik", "traefik"]["egress"] if rule["ports"][0]["port"] == 9000]
    assert to_shop[0]["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "shop"}


def test_flux_acts_with_all_rights_for_the_platform_alone() -> None:
    env = environment()
    roles = {item["metadata"]["name"]: item["roleRef"]["name"] for item in of_kind(env, "ClusterRoleBinding")}
    assert roles["flux-platform"] == "cluster-admin"


def test_a_switched_off_component_opens_nothing_and_leaves_no_namespace() -> None:
    env = environment(platform__rabbitmq_operator={"enabled": False})
    assert "messaging" not in {namespace for namespace, _ in policies(env)}
    assert "messaging" not in {item["metadata"]["name"] for item in of_kind(env, "Namespace")}
    assert 5671 not in {port["port"] for rule in policies(env)["episodic", "apps"]["egress"] for port in rule["ports"]}


def test_the_baseline_cannot_be_switched_off() -> None:
    with pytest.raises(ValueError, match="enabled must be true: every other component stands on the baseline"):
        environment(platform__baseline={"enabled": False})


def test_links() -> None:
    assert said.links("baseline", everything()) == ["episodic/apps -> the internet: 443"]


def test_settings() -> None:
    assert said.settings("baseline") == {
        "Baseline.enabled": "True",
    }


def test_values() -> None:
    assert said.releases("baseline", everything()) == {"prometheus-operator-crds": ("flux-system", "31.0.1", True)}
    assert said.values("baseline", everything()) == {
        "prometheus-operator-crds": {"crds.annotations.helm.sh/resource-policy": "keep"}
    }


def test_operators() -> None:
    assert said.operators("baseline") == {"prometheus-operator-crds": ("brings monitoring.coreos.com",)}


def test_the_security_of_pods_in_each_namespace() -> None:
    label = "pod-security.kubernetes.io/enforce"
    levels = {
        item["metadata"]["name"]: item["metadata"]["labels"][label] for item in of_kind(everything(), "Namespace")
    }
    assert {name: level for name, level in levels.items() if level != "restricted"} == {
        "observability": "baseline",
        "observability-agents": "privileged",
    }

"""What the rendered network policies let through, as Kubernetes reads them."""

from __future__ import annotations

from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest
from tests.chart_facts.cluster import Pod, matches

FOR_ALL = ("allow-dns", "default-deny")
"""The policies that every closed namespace has for all of its pods."""


class Policies:
    """The network policies of an environment."""

    def __init__(self, env: Environment) -> None:
        manifests = [item for layer in env.layers for item in layer.manifests]
        self.all = [item for item in manifests if item["kind"] == "NetworkPolicy"]

    def of(self, pod: Pod) -> list[Manifest]:
        """Return the policies that select a pod; those of the node's own network are beyond all of them."""
        if pod.facts.get("host_network"):
            return []
        return [item for item in self.all if _is_for(item, pod)]

    def allow(self, source: Pod | None, target: Pod | None, port: int) -> bool:
        """Return whether a TCP port of `target` is open to `source` on both sides; `None` is an address outside."""
        leaves = source is None or self._allows("Egress", source, target, port)
        return leaves and (target is None or self._allows("Ingress", target, source, port))

    def _allows(self, direction: str, pod: Pod, other: Pod | None, port: int) -> bool:
        closing = [item["spec"] for item in self.of(pod) if direction in item["spec"]["policyTypes"]]
        rules = [rule for spec in closing for rule in spec.get(direction.lower(), ())]
        side = "to" if direction == "Egress" else "from"
        return not closing or any(has_port(rule, port) and _has_peer(rule.get(side), pod, other) for rule in rules)


def _is_for(policy: Manifest, pod: Pod) -> bool:
    here = policy["metadata"]["namespace"] == pod.namespace
    return here and matches(policy["spec"]["podSelector"], pod.labels)


def has_port(rule: Manifest, port: int) -> bool:
    """Return whether a rule of a policy is for a TCP port."""
    return "ports" not in rule or any(
        item["protocol"] == "TCP" and item["port"] <= port <= item.get("endPort", item["port"])
        for item in rule["ports"]
    )


def _has_peer(peers: list[Manifest] | None, pod: Pod, other: Pod | None) -> bool:
    """Return whether a rule names the other side; one on the node's own network is an address as any other."""
    if peers is None:
        return True
    if other is None or other.facts.get("host_network"):
        return False
    return any("podSelector" in peer and _is_peer(peer, pod, other) for peer in peers)


def _is_peer(peer: Manifest, pod: Pod, other: Pod) -> bool:
    names = {"kubernetes.io/metadata.name": other.namespace}
    near = (
        matches(peer["namespaceSelector"], names) if "namespaceSelector" in peer else other.namespace == pod.namespace
    )
    return near and matches(peer["podSelector"], other.labels)

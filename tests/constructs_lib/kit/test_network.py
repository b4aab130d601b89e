"""Network policies from links."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.kit import (
    ANYWHERE,
    API_SERVER,
    DNS,
    DNS_PORTS,
    HTTPS,
    INTERNET,
    NODES,
    Deployment,
    Inside,
    Link,
    Outside,
    Pods,
    StatefulSet,
    cilium_policies,
    default_policies,
    link_policies,
    to_api_server,
    webhook,
)

INSIDE = Inside(("10.0.0.0/16", "10.1.0.0/16"), ("10.0.9.0/28",))


def test_the_policy_of_a_link() -> None:
    here, there = Pods("a", "client", {"app": "client"}), Pods("b", "server", {"app": "server"})
    egress, ingress = link_policies([Link(here, there, (80, (100, 200)))], ["a", "b"], INSIDE)
    ports = [{"port": 80, "protocol": "TCP"}, {"port": 100, "protocol": "TCP", "endPort": 200}]
    assert egress["spec"] == {
        "podSelector": {"matchLabels": {"app": "client"}},
        "policyTypes": ["Egress"],
        "egress": [{"to": [_peer("b", "server")], "ports": ports}],
    }
    assert ingress["spec"] == {
        "podSelector": {"matchLabels": {"app": "server"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [_peer("a", "client")], "ports": ports}],
    }


def test_a_port_is_of_tcp_unless_it_says_udp() -> None:
    (policy,) = link_policies([Link(Pods("a", "x"), ANYWHERE, DNS_PORTS)], ["a"], INSIDE)
    assert policy["spec"]["egress"] == [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}]


def _peer(namespace: str, app: str) -> dict[str, Any]:
    return {
        "podSelector": {"matchLabels": {"app": app}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }


def test_pods_of_one_namespace_need_no_selector_of_it() -> None:
    here, there = Pods("a", "client", {"app": "client"}), Pods("a", "server", {"app": "server"})
    egress, _ = link_policies([Link(here, there, (80,))], ["a"], INSIDE)
    assert egress["spec"]["egress"][0]["to"] == [{"podSelector": {"matchLabels": {"app": "server"}}}]


def test_a_range_of_addresses_and_any_address() -> None:
    pods = Pods("a", "client", {"app": "client"})
    (policy,) = link_policies(
        [Link(pods, Outside(("192.0.2.0/24",)), (443,)), Link(pods, API_SERVER, (80,))], ["a"], INSIDE
    )
    assert policy["spec"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]},
        {"ports": [{"port": 80, "protocol": "TCP"}]},
    ]


def test_the_internet_is_what_is_not_inside_but_for_neighbours() -> None:
    (policy,) = link_policies([Link(Pods("a", "x"), INTERNET, HTTPS)], ["a"], INSIDE)
    (rule,) = policy["spec"]["egress"]
    assert rule["to"] == [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/16", "10.1.0.0/16", "169.254.0.0/16"]}},
        {"ipBlock": {"cidr": "10.0.9.0/28"}},
    ]


def test_nodes_and_whoever_comes_in_have_no_address() -> None:
    pods = Pods("a", "x", {"app": "x"})
    (policy,) = link_policies([Link(pods, NODES, (9100,)), Link(ANYWHERE, pods, (80,))], ["a"], INSIDE)
    assert policy["spec"]["egress"] == [{"ports": [{"port": 9100, "protocol": "TCP"}]}]
    assert policy["spec"]["ingress"] == [{"ports": [{"port": 80, "protocol": "TCP"}]}]


def test_a_link_that_is_declared_twice_makes_one_rule() -> None:
    link = Link(Pods("a", "x", {"app": "x"}), ANYWHERE, (443,))
    (policy,) = link_policies([link, link], ["a"], INSIDE)
    assert len(policy["spec"]["egress"]) == 1


def test_two_sets_of_pods_cannot_share_a_policy() -> None:
    links = [Link(Pods("a", "x", {"app": app}), ANYWHERE, (443,)) for app in ("one", "two")]
    with pytest.raises(ValueError, match="two sets of pods are named x in a"):
        list(link_policies(links, ["a"], INSIDE))


def test_nothing_is_opened_in_a_namespace_of_somebody_else() -> None:
    assert list(link_policies([Link(Pods("theirs", "x"), ANYWHERE, (443,))], ["ours"], INSIDE)) == []
    assert {item["metadata"]["namespace"] for item in default_policies("ours")} == {"ours"}


def test_a_namespace_is_closed_both_ways_but_for_questions_to_dns() -> None:
    closed, dns = default_policies("ours")
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert (closed["metadata"]["name"], dns["metadata"]["name"]) == ("default-deny", "allow-dns")
    assert dns["spec"]["podSelector"] == {}
    assert dns["spec"]["policyTypes"] == ["Egress"]
    (rule,) = dns["spec"]["egress"]
    assert rule["to"] == [
        {
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        }
    ]
    assert rule["ports"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    assert DNS.namespace == "kube-system"


def test_the_api_server_is_reached_and_calls_by_port_alone() -> None:
    pods = Pods("a", "x", {"app": "x"})
    assert list(to_api_server(pods)) == [Link(pods, API_SERVER, (443, 6443, 16443))]
    assert webhook(pods, 9443) == Link(API_SERVER, pods, (9443,))
    (policy,) = link_policies([webhook(pods, 9443)], ["a"], INSIDE)
    assert policy["spec"]["ingress"] == [{"ports": [{"port": 9443, "protocol": "TCP"}]}]
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert HTTPS == (443,)


def test_cilium_knows_the_api_server_as_itself_or_as_a_node_and_nothing_else_is_said_to_it() -> None:
    pods, other = Pods("a", "x", {"app": "x"}), Pods("b", "y", {"app": "y"})
    links = [
        *to_api_server(pods),
        *to_api_server(pods),
        webhook(pods, 9443),
        webhook(other, 1),
        Link(pods, other, (80,)),
    ]
    (policy,) = cilium_policies([*links, Link(ANYWHERE, pods, (8443,)), Link(pods, ANYWHERE, HTTPS)], ["a"])
    assert policy["apiVersion"] == "cilium.io/v2"
    assert policy["metadata"] == {"name": "x-api-server", "namespace": "a"}
    entities = ["kube-apiserver", "host", "remote-node"]
    ports = [{"port": port, "protocol": "TCP"} for port in ("443", "6443", "16443")]
    assert policy["spec"] == {
        "endpointSelector": {"matchLabels": {"app": "x"}},
        "egress": [{"toEntities": entities, "toPorts": [{"ports": ports}]}],
        "ingress": [{"fromEntities": entities, "toPorts": [{"ports": [{"port": "9443", "protocol": "TCP"}]}]}],
    }


def test_pods_without_labels_are_all_of_the_namespace() -> None:
    (policy,) = link_policies([Link(Pods("a", "all"), ANYWHERE, (443,))], ["a"], INSIDE)
    assert policy["spec"]["podSelector"] == {}
    assert policy["metadata"] == {"name": "all", "namespace": "a"}


def test_pods_with_both_ends_of_links_have_one_policy_of_both_types() -> None:
    here, there = Pods("a", "x", {"app": "x"}), Pods("b", "y", {"app": "y"})
    (policy,) = link_policies([Link(here, there, (80,)), Link(there, here, (81,))], ["a"], INSIDE)
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert [list(policy["spec"][way][0]) for way in ("egress", "ingress")] == [["to", "ports"], ["from", "ports"]]


def test_a_workload_is_its_pods_and_what_makes_them() -> None:
    made = Deployment("a", "x", {"app": "x"}, deployment="the-x")
    kept = StatefulSet("a", "x", {"app": "x"}, statefulset="the-x")
    assert isinstance(made, Pods)
    assert (made.deployment, kept.statefulset, kept.needed) == ("the-x", "the-x", 1)
    assert made != kept

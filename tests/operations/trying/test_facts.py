"""What `try` sees of a cluster, and refuses it for."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

import pytest
from kubernetes import client as kubernetes

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Room
from operations.trying.facts import around, facts, refuse_other_platform, storage_class
from tests.fakes.kubernetes import FakeKubernetes

READY = [{"type": "Ready", "status": "True"}]
NODE: dict[str, Any] = {
    "metadata": {"name": "a", "labels": {}},
    "spec": {"podCIDRs": ["10.244.0.0/24", "fd00::/64"]},
    "status": {
        "conditions": READY,
        "addresses": [{"type": "Hostname", "address": "a"}, {"type": "InternalIP", "address": "172.18.0.2"}],
        "allocatable": {"cpu": "4", "memory": "8000000Ki"},
    },
}
POD: dict[str, Any] = {
    "metadata": {"name": "p"},
    "spec": {
        "nodeName": "a",
        "containers": [
            {"name": "x", "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}}},
            {"name": "y", "resources": {"requests": {"cpu": "1"}}},
            {"name": "z"},
        ],
    },
    "status": {"phase": "Running", "podIP": "10.244.0.9"},
}
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}
PATHS = {
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "classes": "/apis/storage.k8s.io/v1/storageclasses",
    "ranges": "/apis/networking.k8s.io/v1/servicecidrs",
}


class Seen:
    """A cluster of one node, to be changed."""

    def __init__(self, server: FakeKubernetes) -> None:
        self.server, self.allowed = server, True
        review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        server.app.add_url_rule(review, view_func=self._review, methods=["POST"])
        server.app.add_url_rule("/version/", "version", lambda: VERSION)
        self.put("nodes", NODE)
        self.put("pods", POD, *({**POD, "status": {"phase": phase}} for phase in ("Succeeded", "Failed")))
        self.put("namespaces")
        self.put("classes", {"metadata": {"name": "quick", "annotations": DEFAULT}}, {"metadata": {"name": "slow"}})
        self.put("ranges", {"spec": {"cidrs": ["10.96.0.0/16", "fd01::/112"]}})

    def put(self, what: str, *items: dict[str, Any]) -> None:
        """Let the cluster have these objects, and no others, of a kind."""
        self.server.objects[PATHS[what]] = {"items": [provisioned(item) for item in items]}

    def node(self, **parts: Any) -> dict[str, Any]:
        """Return the node with parts of it otherwise."""
        made = copy.deepcopy(NODE)
        for part, values in parts.items():
            made[part] |= values
        return made

    @property
    def client(self) -> kubernetes.ApiClient:
        """A client of it."""
        return kubernetes.ApiClient(kubernetes.Configuration(host=self.server.url))

    def _review(self) -> dict[str, Any]:
        return {"spec": {}, "status": {"allowed": self.allowed}}


ABOUT = ("buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "platform")
VERSION = {**dict.fromkeys(ABOUT, "x"), "major": "1", "minor": "36+"}


def provisioned(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object with what the client wants of a StorageClass."""
    return {"provisioner": "x", **item}


@pytest.fixture
def cluster() -> Iterator[Seen]:
    with FakeKubernetes() as server:
        yield Seen(server)


def test_it_is_what_an_environments_file_says(cluster: Seen) -> None:
    found = facts(cluster.client, "lab")
    assert (found.context, found.minor, found.storage_class) == ("lab", "1.36", "quick")
    assert found.node_range == IPv4Network("172.18.0.0/24")
    assert found.pod_range == IPv4Network("10.244.0.0/16")
    assert found.service_range == IPv4Network("10.96.0.0/16")
    (node,) = found.nodes
    assert (node.name, node.labelled) == ("a", False)
    assert node.free == Room(2750, 7812 - 256, 110)
    assert found.least == node.free


def test_each_node_counts_as_the_smallest(cluster: Seen) -> None:
    small = cluster.node(metadata={"name": "b"}, status={"allocatable": {"cpu": "2", "memory": "9000Mi"}})
    cluster.put("nodes", NODE, small)
    assert facts(cluster.client, "lab").least == Room(2000, 7812 - 256, 110)


@pytest.mark.parametrize(
    "repels",
    [
        {"spec": {"unschedulable": True}},
        {"spec": {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}},
        {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
    ],
)
def test_a_node_that_takes_nothing_is_none(cluster: Seen, repels: dict[str, Any]) -> None:
    cluster.put("nodes", NODE, cluster.node(metadata={"name": "b"}, **repels))
    assert [node.name for node in facts(cluster.client, "lab").nodes] == ["a"]
    cluster.put("nodes", cluster.node(**repels))
    with pytest.raises(ConfigError, match="context lab: no node is Ready and takes pods"):
        facts(cluster.client, "lab")


@pytest.mark.parametrize(
    "taint", [{"key": "CriticalAddonsOnly", "effect": "NoSchedule"}, {"key": "other", "effect": "PreferNoSchedule"}]
)
def test_what_the_platform_tolerates_repels_it_not(cluster: Seen, taint: dict[str, str]) -> None:
    cluster.put("nodes", cluster.node(spec={"taints": [taint]}))
    assert [node.name for node in facts(cluster.client, "lab").nodes] == ["a"]


def test_nodes_that_have_the_label_are_taken_alone(cluster: Seen) -> None:
    cluster.put("nodes", NODE, cluster.node(metadata={"name": "b", "labels": {"pool-role": "system"}}))
    assert [(node.name, node.labelled) for node in facts(cluster.client, "lab").nodes] == [("b", True)]


def test_where_nodes_give_no_ranges_the_addresses_of_pods_tell(cluster: Seen) -> None:
    cluster.put("nodes", cluster.node(spec={"podCIDRs": None}))
    own = {**POD, "spec": {**POD["spec"], "hostNetwork": True}, "status": {"phase": "Running", "podIP": "172.18.0.2"}}
    cluster.put("pods", POD, own)
    assert facts(cluster.client, "lab").pod_range == IPv4Network("10.244.0.0/16")
    cluster.put("pods")
    with pytest.raises(ConfigError, match="context lab: no pod has an IPv4 address"):
        facts(cluster.client, "lab")


def test_a_user_with_lesser_rights_is_refused(cluster: Seen) -> None:
    cluster.allowed = False
    with pytest.raises(ConfigError, match="context lab: its user is no administrator of the cluster"):
        facts(cluster.client, "lab")


def test_a_cluster_that_does_not_answer_is_said_in_a_sentence(cluster: Seen) -> None:
    del cluster.server.objects[PATHS["pods"]]
    with pytest.raises(ConfigError, match=r"context lab: the cluster answers 404 \(NOT FOUND\)"):
        facts(cluster.client, "lab")


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ({}, "context lab: no StorageClass is the default one, found none; give one the annotation"),
        ({"b": {}, "a": {}}, "found a, b; give one"),
        ({"b": DEFAULT, "a": DEFAULT}, "found a, b; give one"),
    ],
)
def test_somebody_has_to_say_which_volumes(classes: dict[str, dict[str, str]], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        storage_class("lab", classes)
    assert storage_class("lab", {"only": {}}) == "only"


@pytest.mark.parametrize(
    ("networks", "widest", "found"),
    [
        (["10.1.2.3"], 24, "10.1.2.0/24"),
        (["10.1.2.3", "10.1.3.1"], 24, "10.1.2.0/23"),
        (["10.0.0.0/8"], 16, "10.0.0.0/8"),
    ],
)
def test_a_range_holds_all(networks: list[str], widest: int, found: str) -> None:
    assert around([IPv4Network(network) for network in networks], widest) == IPv4Network(found)


@pytest.mark.parametrize("name", ["flux-system", "try"])
def test_somebody_elses_platform_is_left_alone(cluster: Seen, name: str) -> None:
    def refuse() -> None:
        refuse_other_platform(cluster.client, "lab", "try", {"by": "try"})

    refuse()
    cluster.put("namespaces", {"metadata": {"name": name}})
    with pytest.raises(ConfigError, match=f"context lab: its cluster has the namespace {name} already"):
        refuse()
    cluster.put("namespaces", {"metadata": {"name": name}}, {"metadata": {"name": "try", "labels": {"by": "try"}}})
    refuse()

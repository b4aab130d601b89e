"""A real API server lets Valkey's nodes start as the policies say, and refuses what their operator cannot change."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from constructs_lib.kit import namespace
from constructs_lib.platform.valkey_operator.admission import policies
from constructs_lib.platform.valkey_operator.cluster import ValkeyCluster, cluster_object
from gitops_render.yaml_output import to_yaml
from tests.e2e.cluster import CRDS, Cluster
from tests.support import environment

COMMAND = ["valkey-server", "/valkey/etc/valkey.conf", "--requirepass", "$(VALKEY_PASSWORD)"]

MAIN = ValkeyCluster(name="main")
SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1001,
    "runAsGroup": 1001,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(name: str, component: str, where: str = "cache") -> dict[str, Any]:
    """Return a pod with labels and command as the operator gives them (v0.0.61 `upsertStatefulSet`, `exporter`)."""
    labels = {
        "app.kubernetes.io/name": "valkey",
        "app.kubernetes.io/instance": "main",
        "app.kubernetes.io/component": component,
    }
    containers = [
        {"name": "valkey", "image": "valkey", "command": COMMAND, "securityContext": SECURITY},
        {"name": "metrics", "image": "exporter", "securityContext": SECURITY},
    ]
    metadata = {"name": name, "namespace": where, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}


def command(cluster: Cluster, name: str, namespace: str = "cache") -> list[str]:
    found = cluster.get("pod", name, namespace)
    assert found is not None
    return found["spec"]["containers"][0]["command"]


def started(cluster: Cluster, name: str) -> list[str]:
    """Return the command of a new pod; the API server takes a moment to know a policy."""
    for attempt in range(100):
        cluster.apply(pod(f"{name}-{attempt}", "valkey"))
        if command(cluster, f"{name}-{attempt}") != COMMAND:
            return command(cluster, f"{name}-{attempt}")
        time.sleep(0.2)
    raise TimeoutError("no pod was changed")


def test_a_node_of_valkey_announces_its_name_in_dns_and_no_other_pod_is_touched(cluster: Cluster) -> None:
    cluster.apply(namespace("cache"), namespace("elsewhere"), *policies((MAIN,)))
    host = "$(POD_NAME).main-headless.cache.svc"
    limits = ["--maxmemory", "161061273", "--maxmemory-policy", "noeviction"]
    assert started(cluster, "main") == [*COMMAND, "--cluster-announce-hostname", host, *limits]
    cluster.apply(pod("other", "web"), pod("elsewhere", "valkey", "elsewhere"))
    assert command(cluster, "other") == command(cluster, "elsewhere", "elsewhere") == COMMAND


def test_memory_of_a_cluster_may_change_and_its_numbers_may_not(cluster: Cluster) -> None:
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}; set CRDS")
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS / "valkey-operator.yaml"))
    cluster.apply(namespace("cache"), *policies((MAIN,)), valkey())
    shards = until_refused(cluster)
    assert "moves no keys" in cluster.apply(valkey(shards=shards, replicas=1), code=None)
    cluster.apply(valkey(shards=shards, memory="512Mi"))


def until_refused(cluster: Cluster) -> int:
    """Raise the shards until that is refused, and return how many there are; the API server takes a moment."""
    for shards in range(2, 100):
        if "moves no keys" in cluster.apply(valkey(shards=shards), code=None):
            return shards - 1
        time.sleep(0.2)
    raise TimeoutError("nothing was refused")


def valkey(**settings: Any) -> dict[str, Any]:
    return yaml.safe_load(to_yaml(cluster_object(environment(), ValkeyCluster(name="main", **settings))))

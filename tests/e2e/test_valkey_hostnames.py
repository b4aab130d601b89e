"""A real API server lets Valkey's nodes start with the name that clients are told."""

from __future__ import annotations

import time
from typing import Any

from constructs_lib.kit import namespace
from constructs_lib.platform.valkey_operator.hostnames import announced_hostnames
from tests.e2e.cluster import Cluster

COMMAND = ["valkey-server", "/valkey/etc/valkey.conf", "--requirepass", "$(VALKEY_PASSWORD)"]

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
    cluster.apply(namespace("cache"), namespace("elsewhere"), *announced_hostnames())
    host = "$(POD_NAME).main-headless.cache.svc"
    assert started(cluster, "main") == [*COMMAND, "--cluster-announce-hostname", host]
    cluster.apply(pod("other", "web"), pod("elsewhere", "valkey", "elsewhere"))
    assert command(cluster, "other") == command(cluster, "elsewhere", "elsewhere") == COMMAND

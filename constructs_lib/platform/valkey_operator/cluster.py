"""One Valkey cluster: its settings, and its object.

Upstream: hyperspike/valkey-operator v0.0.61 `api/v1/valkey_types.go`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from constructs_lib.base.change import Change, refused
from constructs_lib.base.fields import Cpu, ServiceName
from constructs_lib.base.quantities import Memory, Storage
from constructs_lib.kit import (
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Manifest,
    Pods,
    Retirable,
    claim,
    manifest,
    resources,
)
from constructs_lib.platform import cert_manager

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

API = "hyperspike.io/v1"
IMAGE = "ghcr.io/hyperspike/valkey:8.1.4"
NAMESPACE = "cache"
CONTAINER = "valkey"
INSTANCE = "app.kubernetes.io/instance"
"""The label with the name of a cluster."""
NODES = Pods(NAMESPACE, "valkey", {"app.kubernetes.io/component": "valkey"})


MaxmemoryPolicy = Literal[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
]


class ValkeyCluster(Retirable):
    """A Valkey cluster with TLS and a password from Vault.

    Clients that speak the cluster protocol use the Service of its name, port 6379; with one pod plain ones do too.
    """

    name: ServiceName
    shards: Annotated[int, Change(refused("its operator moves no keys; add another cluster and move to it"))] = Field(
        default=1, ge=1, le=100, description="Primaries among which the keys are divided, for good."
    )
    replicas: Annotated[int, Change(refused("its operator moves no keys; add another cluster and move to it"))] = Field(
        default=0, ge=0, le=5, description="Replicas of each primary, for good."
    )
    storage: Annotated[
        Storage, Change(refused("the volumes of a StatefulSet keep their size; add another cluster and move to it"))
    ] = Storage("2Gi")
    cpu: Cpu = "100m"
    memory: Memory = Field(default=Memory("256Mi"), description="Memory of each pod, requested and limit.")
    maxmemory_policy: MaxmemoryPolicy = Field(
        default="noeviction", description="What a full node does: it refuses writes, or gives up keys."
    )

    @property
    def pods(self) -> Pods:
        """Its nodes (`internal/controller/valkey_controller.go`, labels)."""
        return Pods(NAMESPACE, f"valkey-{self.name}", {**NODES.labels, INSTANCE: self.name})

    @property
    def max_memory_bytes(self) -> int:
        """What a node may keep, in bytes: 60 % of its memory, since a snapshot and clients' buffers need some too."""
        return self.memory.mebibytes * 1024**2 * 60 // 100

    @property
    def metrics_service(self) -> str:
        """The name of the Service behind which the operator runs the exporter."""
        return f"{self.name}-metrics"

    @property
    def host(self) -> str:
        """The name by which clients know the cluster."""
        return f"{self.name}.{NAMESPACE}.svc"

    @property
    def entry(self) -> str:
        """Where the password is in Vault, below the platform's path."""
        return f"valkey/{self.name}"

    @property
    def secret(self) -> str:
        """The name of the Secret with the password."""
        return f"{self.name}-password"


def cluster_object(env: Environment, cluster: ValkeyCluster) -> Manifest:
    """Return the cluster."""
    has_metrics = env.platform.observability.has_metrics
    volume = claim(env.cluster.kept_storage_class, cluster.storage)
    spec = {
        "image": IMAGE,
        "nodes": cluster.shards,
        "replicas": cluster.replicas,
        "tls": True,
        "certIssuer": cert_manager.INTERNAL_CA,
        "certIssuerType": "ClusterIssuer",
        "clusterPreferredEndpointType": "hostname",
        "anonymousAuth": False,
        "servicePassword": {"name": cluster.secret, "key": "password"},
        "prometheus": has_metrics,
        "serviceMonitor": has_metrics,
        "storage": {"spec": volume},
        "resources": resources(cluster.cpu, cluster.memory),
        "nodeSelector": SYSTEM_NODE_SELECTOR,
        "tolerations": SYSTEM_TOLERATIONS,
    }
    return manifest(API, "Valkey", cluster.name, NAMESPACE, spec=spec)

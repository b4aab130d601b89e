"""The cluster of an environment: node pools, versions, who may reach it."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Literal, Self

from pydantic import Field, model_validator

from constructs_lib.base.fields import DropletSize, KubernetesMinor, LabelKey, LabelValue, Name, Tag, TimeOfDay
from constructs_lib.base.settings import Settings


class Taint(Settings):
    """A taint of every node in a pool."""

    key: LabelKey
    value: LabelValue
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodePool(Settings):
    """An autoscaled node pool."""

    size: DropletSize = Field(description="Droplet size, such as s-4vcpu-8gb.")
    min_nodes: int = Field(ge=1, description="Nodes that always run.")
    max_nodes: int = Field(ge=1, le=512, description="Nodes at full load.")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Further node labels.")
    taints: tuple[Taint, ...] = Field(default=(), description="Further node taints.")

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes must be at most max_nodes, found {self.min_nodes} and {self.max_nodes}")
        return self


class MaintenanceWindow(Settings):
    """When DigitalOcean may upgrade patch versions: four hours from `start_time` (UTC)."""

    day: Literal["any", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    start_time: TimeOfDay


class Cluster(Settings):
    """A DOKS cluster."""

    name: Name = Field(description="Cluster name; the VPC, the project and the keys are named after it.")
    kubernetes_minor: KubernetesMinor = Field(
        description="Minor version; DigitalOcean keeps the patch version current."
    )
    high_availability: bool = Field(default=True, description="Replicated control plane; cannot be switched off later.")
    maintenance_window: MaintenanceWindow
    control_plane_allowed_addresses: tuple[IPv4Network, ...] = Field(
        default=(), description="Who may reach the API server; empty leaves it open to every address."
    )
    kubeconfig_expire_seconds: int = Field(
        default=3600, ge=600, le=604800, description="Life of the credentials that a plan reads."
    )
    protected: bool = Field(
        default=True, description="OpenTofu refuses to destroy the cluster, and what it made is kept."
    )
    allow_single_point_of_failure: bool = Field(
        default=False,
        description="Accept a production cluster without a replicated control plane or with one-node pools.",
    )
    tags: tuple[Tag, ...] = Field(default=(), description="Further DigitalOcean tags of the cluster and its nodes.")
    system_pool: NodePool = Field(description="Nodes for platform services, tainted CriticalAddonsOnly.")
    workload_pool: NodePool = Field(
        description="Nodes for applications, and for CoreDNS: its taints may not repel pods."
    )

    @model_validator(mode="after")
    def _room_for_dns(self) -> Self:
        if any(taint.effect != "PreferNoSchedule" for taint in self.workload_pool.taints):
            raise ValueError(
                "workload_pool.taints must all be PreferNoSchedule: the system pool is tainted too, "
                "and CoreDNS does not start in a cluster where every pool repels it"
            )
        return self

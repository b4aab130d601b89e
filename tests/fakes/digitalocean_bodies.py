"""The request bodies of the DigitalOcean API that its provider v2.71.0 sends (godo's `*Request` structs)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tests.fakes.server import Body


class TagBody(Body):
    """POST /v2/tags."""

    name: str


class VpcBody(Body):
    """POST /v2/vpcs."""

    name: str
    region: str
    description: str = ""
    ip_range: str


class VpcUpdate(Body):
    """PUT /v2/vpcs/ID."""

    name: str
    description: str = ""
    default: bool | None = None


class Taint(Body):
    """A taint of a node pool; godo sends the names of its Go fields."""

    key: str = Field(alias="Key")
    value: str = Field(alias="Value")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(alias="Effect")


class PoolSettings(Body):
    """What a node pool may be created with or changed to."""

    count: int | None = None
    tags: list[str] | None = None
    labels: dict[str, str] | None = None
    taints: list[Taint] | None = None
    auto_scale: bool | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None


class PoolUpdate(PoolSettings):
    """PUT of a node pool; what is left out stays."""

    name: str | None = None


class PoolBody(PoolSettings):
    """POST of a node pool."""

    name: str
    size: str


class Maintenance(Body):
    """When patch versions are installed."""

    start_time: str
    duration: str = ""
    day: Literal["any", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Firewall(Body):
    """Who may reach the control plane."""

    enabled: bool
    allowed_addresses: list[str] | None


class Plugin(Body):
    """A part of the cluster that can be switched on; an update names it with null where the stack does not."""

    enabled: bool | None = None


class Autoscaler(Body):
    """How the cluster scales its pools; an update names all of it with null where the stack does not."""

    scale_down_utilization_threshold: float | None = None
    scale_down_unneeded_time: str | None = None
    expanders: list[str] | None = None


class ClusterSettings(Body):
    """What a cluster may be created with or changed to."""

    tags: list[str] | None = None
    maintenance_policy: Maintenance | None = None
    auto_upgrade: bool | None = None
    surge_upgrade: bool | None = None
    control_plane_firewall: Firewall | None = None
    ha: bool | None = None


class ClusterUpdate(ClusterSettings):
    """PUT /v2/kubernetes/clusters/ID; what is left out or null stays."""

    name: str | None = None
    cluster_autoscaler_configuration: Autoscaler | None = None
    routing_agent: Plugin | None = None
    amd_gpu_device_plugin: Plugin | None = None
    amd_gpu_device_metrics_exporter_plugin: Plugin | None = None


class ClusterBody(ClusterSettings):
    """POST /v2/kubernetes/clusters."""

    name: str
    region: str
    version: str
    vpc_uuid: str
    cluster_subnet: str | None = None
    service_subnet: str | None = None
    node_pools: list[PoolBody]


class ProjectBody(Body):
    """POST /v2/projects and PATCH or PUT of one."""

    name: str
    description: str
    purpose: str
    environment: Literal["Development", "Staging", "Production"]
    is_default: bool | None = None


class Resources(Body):
    """POST /v2/projects/ID/resources."""

    resources: list[str]


class Grant(Body):
    """What a Spaces key may do with a bucket."""

    bucket: str
    permission: Literal["read", "readwrite", "fullaccess"]


class KeyBody(Body):
    """POST and PUT of a Spaces key."""

    name: str
    grants: list[Grant]

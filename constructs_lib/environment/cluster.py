"""The cluster of an environment: its node pools, its network, its version, who may reach it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON, Own
from constructs_lib.base.change import (
    ANOTHER_CLUSTER,
    FREE,
    FREELY,
    Change,
    Effect,
    Rule,
    refused,
    replaces,
    rolls,
    steps,
)
from constructs_lib.base.fields import KubernetesMinor, Name, PoolName, Range, Tag, TimeOfDay
from constructs_lib.base.settings import Settings
from constructs_lib.environment.network import Network
from constructs_lib.environment.pools import DEFAULT_POOL, NodePool, Role
from constructs_lib.kit import SYSTEM_ROLE, WORKLOAD_ROLE

ROLES: dict[Role, str] = {SYSTEM_ROLE: "platform services", WORKLOAD_ROLE: "applications"}
"""What runs on the pools of a role."""


def one_minor_up(old: str, new: str) -> Rule:
    """One version up, every node rolls; two, or down, is refused."""
    before, after = (int(minor.partition(".")[2]) for minor in (old, new))
    if after < before:
        return refused("DigitalOcean lowers no version; keep it, or add another environment")
    if after > before + 1:
        return refused(f"DigitalOcean raises one version at a time; go to 1.{before + 1} first")
    return rolls("every node, and the control plane before")


class MaintenanceWindow(Settings):
    """When DigitalOcean may upgrade patch versions: four hours from `start_time` (UTC)."""

    day: Literal["any", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    start_time: TimeOfDay


class Cluster(Settings):
    """A DOKS cluster."""

    name: Annotated[
        Name,
        Own("cluster"),
        Change(refused("the cluster, its network and its keys are named after it; add another environment instead")),
    ] = Field(description="Cluster name; the VPC, the project and the keys are named after it.")
    generation: Annotated[
        int,
        Change(
            steps("only while the cluster is made anew: its archives start anew", "change-an-environment"),
            smaller=refused("the folders of an older generation hold its archives; raise it instead"),
        ),
    ] = Field(
        default=1,
        ge=1,
        le=9999,
        description="Raised by one each time that the cluster is made anew, never while it lives.",
    )
    kubernetes_minor: Annotated[KubernetesMinor, Change(rolls("every node"), judge=one_minor_up)] = Field(
        description="Minor version, raised by one at a time; DigitalOcean keeps the patch version current."
    )
    high_availability: Annotated[
        bool, Change(FREE, removed=refused("DigitalOcean cannot switch it off; keep it, or add another environment"))
    ] = Field(default=True, description="Replicated control plane; cannot be switched off later.")
    maintenance_window: Annotated[MaintenanceWindow, FREELY]
    control_plane_allowed_addresses: Annotated[
        tuple[Range, ...],
        COMMON,
        Change(
            FREE,
            added=rolls("who reaches the API server: this range too, and with the first one nobody else"),
            removed=replaces("the way to the API server from this range; without any, everybody reaches it"),
        ),
    ] = Field(default=(), description="Who may reach the API server; empty leaves it open to every address.")
    network_policies: Annotated[Literal["kubernetes", "cilium"], FREELY] = Field(
        default="kubernetes",
        description="Whether the API server is named in CiliumNetworkPolicies too; the cluster needs their CRD.",
    )
    kubeconfig_expire_seconds: Annotated[int, FREELY] = Field(
        default=3600,
        ge=600,
        le=604800,
        description="Life of the API server's credentials that each run fetches.",
    )
    protected: Annotated[bool, Change(FREE, removed=Rule(Effect.FREE, "from then on the cluster can be destroyed"))] = (
        Field(default=True, description="OpenTofu refuses to destroy the cluster, and what it made is kept.")
    )
    allow_single_point_of_failure: Annotated[bool, FREELY] = Field(
        default=False,
        description="Accept a production cluster without a replicated control plane or with roles on one node.",
    )
    tags: Annotated[tuple[Tag, ...], FREELY] = Field(
        default=(), description="Further DigitalOcean tags of the cluster and its nodes."
    )
    network: Annotated[Network, ANOTHER_CLUSTER] = Network()
    pools: Annotated[
        dict[PoolName, NodePool], Change(FREE, removed=rolls("pods of the pool, which move to others"))
    ] = Field(description="Node pools by name, beside the small one of DigitalOcean's own services.")

    @model_validator(mode="after")
    def _pools_for_everything(self) -> Self:
        if DEFAULT_POOL.name in self.pools:
            raise ValueError(f"pools may not hold '{DEFAULT_POOL.name}', which every cluster has already; rename it")
        for role, what in ROLES.items():
            if not self.with_role(role):
                raise ValueError(f"pools must hold one with role '{role}', on which {what} run; add it")
        if self.least_nodes(SYSTEM_ROLE) == 0:
            raise ValueError("a pool with role 'system' needs min_nodes of 1 or more: Flux runs there; raise it")
        self.network.check_nodes(DEFAULT_POOL.nodes + sum(pool.max_nodes for pool in self.pools.values()))
        return self

    def with_role(self, role: Role) -> dict[str, NodePool]:
        """Return the pools of a role by name."""
        return {name: pool for name, pool in self.pools.items() if pool.role == role}

    def least_nodes(self, role: Role) -> int:
        """Return how many nodes of a role always run."""
        return sum(pool.min_nodes for pool in self.with_role(role).values())

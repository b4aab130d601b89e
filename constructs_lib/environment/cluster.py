"""The cluster of an environment: what all clusters say, and DigitalOcean's (DOKS), which is made for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

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
from constructs_lib.environment.nodes import DIGITALOCEANS_OWN
from constructs_lib.environment.pools import DEFAULT_POOL, AnyPool, NodePool, Pool, Role, seen_by_pods
from constructs_lib.kit import KEPT_STORAGE_CLASS, STORAGE_CLASS, SYSTEM_ROLE, WORKLOAD_ROLE, Workload

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


SomePool = TypeVar("SomePool", bound=AnyPool)


class AnyCluster(Settings, Generic[SomePool]):
    """What every cluster says, whoever made it."""

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
    network_policies: Annotated[Literal["kubernetes", "cilium"], FREELY] = Field(
        default="kubernetes",
        description="Whether the API server is named in CiliumNetworkPolicies too; the cluster needs their CRD.",
    )
    protected: Annotated[bool, Change(FREE, removed=Rule(Effect.FREE, "from then on the cluster can be destroyed"))] = (
        Field(default=True, description="OpenTofu refuses to destroy the cluster, and what it made is kept.")
    )
    allow_single_point_of_failure: Annotated[bool, FREELY] = Field(
        default=False,
        description="Accept a production cluster without a replicated control plane or with roles on one node.",
    )
    network: Annotated[Network, ANOTHER_CLUSTER] = Network()
    pools: Annotated[
        dict[PoolName, SomePool], Change(FREE, removed=rolls("pods of the pool, which move to others"))
    ] = Field(description="Node pools by name; on DigitalOcean beside the small one of its own services.")

    @model_validator(mode="after")
    def _a_pool_for_flux(self) -> Self:
        if not self.with_role(SYSTEM_ROLE):
            raise ValueError(_no_pool(SYSTEM_ROLE))
        if self.least_nodes(SYSTEM_ROLE) == 0:
            raise ValueError("a pool with role 'system' needs min_nodes of 1 or more: Flux runs there; raise it")
        return self

    def with_role(self, role: Role) -> dict[str, SomePool]:
        """Return the pools of a role by name."""
        return {name: pool for name, pool in self.pools.items() if pool.role == role}

    def least_nodes(self, role: Role) -> int:
        """Return how many nodes of a role always run."""
        return sum(pool.min_nodes for pool in self.with_role(role).values())

    def single_points(self) -> Iterator[str]:
        """Yield what takes a service with it when it fails alone, as sentences that begin with a key."""
        for role in ROLES:
            if self.with_role(role) and (nodes := self.least_nodes(role)) < 2:
                yield f"cluster.pools of role '{role}' have min_nodes of {nodes}"


class Cluster(AnyCluster[NodePool]):
    """A DOKS cluster, which is made with its network and its pools."""

    provider: Literal["digitalocean"] = Field(default="digitalocean", description="Who makes the cluster.")
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
    kubeconfig_expire_seconds: Annotated[int, FREELY] = Field(
        default=3600,
        ge=600,
        le=604800,
        description="Life of the API server's credentials that each run fetches.",
    )
    tags: Annotated[tuple[Tag, ...], FREELY] = Field(
        default=(), description="Further DigitalOcean tags of the cluster and its nodes."
    )

    storage_class: ClassVar[str] = STORAGE_CLASS
    kept_storage_class: ClassVar[str] = KEPT_STORAGE_CLASS
    own_workloads: ClassVar[tuple[Workload, ...]] = DIGITALOCEANS_OWN

    @model_validator(mode="after")
    def _pools_for_everything(self) -> Self:
        if DEFAULT_POOL.name in self.pools:
            raise ValueError(f"pools may not hold '{DEFAULT_POOL.name}', which every cluster has already; rename it")
        if not self.with_role(WORKLOAD_ROLE):
            raise ValueError(_no_pool(WORKLOAD_ROLE))
        self.network.check_nodes(DEFAULT_POOL.nodes + sum(pool.max_nodes for pool in self.pools.values()))
        return self

    @property
    def seen(self) -> tuple[Pool, ...]:
        """Its pools as pods see them."""
        return seen_by_pods(self.pools)

    def single_points(self) -> Iterator[str]:
        """Yield what takes a service with it when it fails alone, the control plane too."""
        if not self.high_availability:
            yield "cluster.high_availability is false"
        yield from super().single_points()


def _no_pool(role: Role) -> str:
    return f"pools must hold one with role '{role}', on which {ROLES[role]} run; add it"

"""A cluster that is there already, whoever made it: kind, k3d, another cloud's, one's own machines.

Nothing of it is made here. It is reached by a context of the user's kubeconfig, and what is said of its nodes is what
capacity is checked against.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from constructs_lib.base.belonging import COMMON, Own
from constructs_lib.base.change import FREE, FREELY, Change, Effect, Rule, refused, steps
from constructs_lib.base.fields import (
    ContextName,
    Cpu,
    KubernetesMinor,
    StorageClass,
)
from constructs_lib.base.quantities import Memory, in_mebibytes, thousandths
from constructs_lib.environment.cluster import AnyCluster, Cluster
from constructs_lib.environment.pools import AnyPool, Pool
from constructs_lib.kit import Room, Workload
from constructs_lib.platform.traefik.load_balancer import LoadBalancer

VOLUMES = 110
"""How many pods a node takes (kubernetes.io, "Considerations for large clusters"): nobody says how many volumes."""

VOLUMES_STAY = Change(steps("volumes stay in their class, and no StatefulSet takes another", "resize-volumes"))


class ExistingPool(AnyPool):
    """Nodes of a cluster that is there. Those with a role have to carry the label `pool-role` with it."""

    cpu: Cpu = Field(description="What a node has free for the platform's pods and applications, such as '3500m'.")
    memory: Memory = Field(description="The same of memory, such as '6Gi'.")

    @property
    def room(self) -> Room:
        """What a node has for pods."""
        return Room(thousandths(self.cpu), in_mebibytes(self.memory), VOLUMES)


class ExistingCluster(AnyCluster[ExistingPool]):
    """A cluster that is there already; the platform is brought to it, and nothing else of it is touched."""

    provider: Literal["existing"] = Field(description="Nobody makes the cluster: it is there.")
    context: Annotated[
        ContextName,
        Own("context"),
        Change(Rule(Effect.FREE, "where both lead to one cluster; another one gets an environment of its own")),
    ] = Field(description="Context of the kubeconfig by which the cluster is reached.")
    kubernetes_minor: Annotated[KubernetesMinor, FREELY] = Field(
        description="Minor version that runs; whoever owns the cluster upgrades it."
    )
    storage_class: Annotated[StorageClass, COMMON, VOLUMES_STAY] = Field(
        description="StorageClass of the volumes that go with their claim."
    )
    kept_storage_class: Annotated[StorageClass, COMMON, VOLUMES_STAY] = Field(
        description="StorageClass of the data of databases and queues; better one with reclaimPolicy Retain."
    )
    load_balancer: Annotated[LoadBalancer, Change(FREE)] = LoadBalancer()

    own_workloads: ClassVar[tuple[Workload, ...]] = ()
    kubeconfig_expire_seconds: ClassVar[int] = 3600

    @model_validator(mode="after")
    def _knows_its_network(self) -> Self:
        if self.network.vpc is not None:
            raise ValueError("network.vpc must be left out: nothing is made in a network of DigitalOcean")
        for key in ("cluster_subnet", "service_subnet"):
            if getattr(self.network, key) is None:
                raise ValueError(f"network.{key} is missing: policies tell inside from outside by it; add it")
        return self

    @property
    def seen(self) -> tuple[Pool, ...]:
        """Its pools as pods see them."""
        return tuple(_seen(name, pool) for name, pool in self.pools.items())


def _seen(name: str, pool: ExistingPool) -> Pool:
    least, most = pool.min_nodes, pool.max_nodes
    return Pool(name, f"pool {name}", least, most, pool.node_labels, pool.node_taints, pool.room)


def provider(cluster: Any) -> str | None:
    """Return who makes a cluster, of which a file says nothing where that is DigitalOcean."""
    if isinstance(cluster, dict):
        return str(cluster.get("provider", "digitalocean"))
    return getattr(cluster, "provider", None)


SomeCluster = Annotated[
    Annotated[Cluster, Tag("digitalocean")] | Annotated[ExistingCluster, Tag("existing")],
    Discriminator(provider),
    Change(refused("a cluster never becomes one of the other kind; add another environment and move to it")),
]
"""A cluster of either kind, which never becomes one of the other."""

"""The node pools of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from constructs_lib.base.change import Change, rolls
from constructs_lib.base.digitalocean import GPU_SIZE
from constructs_lib.base.fields import DropletSize, LabelKey, LabelValue, Tag
from constructs_lib.base.settings import Settings
from constructs_lib.kit import POOL_LABEL, ROLE_LABEL, SYSTEM_ROLE, SYSTEM_TAINT, WORKLOAD_ROLE, Room

Role = Literal["system", "workload"]

GPU_TAINTS = ("nvidia.com/gpu", "amd.com/gpu")
"""What DigitalOcean taints GPU nodes with itself (docs.digitalocean.com, Managed elements of Kubernetes)."""

RESERVED_LABELS = {
    POOL_LABEL: "every node has it with the name of its pool",
    ROLE_LABEL: "role sets it",
}
RESERVED_TAINTS = {
    SYSTEM_TAINT["key"]: "role: system sets it",
    **dict.fromkeys(GPU_TAINTS, "DigitalOcean sets it on GPU nodes itself"),
}


class DefaultPool(NamedTuple):
    """The pool that is part of the cluster."""

    name: str
    size: str
    nodes: int


DEFAULT_POOL = DefaultPool("default", "s-2vcpu-4gb", 2)
"""Nodes for CoreDNS and DigitalOcean's other services, which is why it has no hard taint.

Its size can never change: that would replace the cluster. See docs/decisions/0027-node-pools.md.
"""


KEEP_APPLICATIONS_AWAY = {"key": "only", "value": DEFAULT_POOL.name, "effect": "PreferNoSchedule"}
"""A taint that repels nobody for good: CoreDNS tolerates no other of ours (digitalocean/DOKS issue 31)."""


class Taint(Settings):
    """A taint of every node in a pool."""

    key: LabelKey
    value: LabelValue
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class AnyPool(Settings):
    """Nodes that are alike."""

    role: Annotated[Role | None, Change(rolls("pods that the pool no longer takes"))] = Field(
        default=None,
        description="What runs here: platform services (system) or applications that say nothing (workload).",
    )
    min_nodes: int = Field(ge=0, description="Nodes that always run; zero lets the pool vanish while nobody needs it.")
    max_nodes: int = Field(ge=1, le=512, description="Nodes at full load.")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Further node labels.")
    taints: Annotated[tuple[Taint, ...], Change(rolls("pods that the pool no longer takes"))] = Field(
        default=(), description="Further node taints."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes must be at most max_nodes, found {self.min_nodes} and {self.max_nodes}")
        _refuse("labels", self.labels, RESERVED_LABELS)
        _refuse("taints", (taint.key for taint in self.taints), RESERVED_TAINTS)
        return self

    @property
    def node_labels(self) -> dict[str, str]:
        """The labels of its nodes, with that of its role."""
        return {**self.labels, **({} if self.role is None else {ROLE_LABEL: self.role})}

    @property
    def node_taints(self) -> tuple[dict[str, str], ...]:
        """The taints of its nodes that the file names."""
        return tuple(taint.model_dump() for taint in self.taints)


class NodePool(AnyPool):
    """An autoscaled node pool of DigitalOcean."""

    size: Annotated[DropletSize, Change(rolls("every node of the pool, the new ones first"))] = Field(
        description="Droplet size, such as s-4vcpu-8gb; can be changed."
    )
    tags: tuple[Tag, ...] = Field(default=(), description="Further DigitalOcean tags of the nodes.")

    @model_validator(mode="after")
    def _of_its_role(self) -> Self:
        if self.role is not None and self.size.startswith(GPU_SIZE):
            raise ValueError(
                f"role must be left out with the size '{self.size}': "
                "DigitalOcean taints GPU nodes, and what runs on a role's pools does not tolerate that"
            )
        if self.role == WORKLOAD_ROLE and any(taint.effect != "PreferNoSchedule" for taint in self.taints):
            raise ValueError(
                "taints must all be PreferNoSchedule with role 'workload', which any application may use; "
                "leave the role out for a pool that repels"
            )
        return self


class Pool(NamedTuple):
    """A pool as pods see it: the size of its nodes, how many there are at the least and at the most, their marks.

    `room` is what a node has for pods, where that is known without its size.
    """

    name: str
    size: str
    least: int
    most: int
    labels: dict[str, str]
    taints: tuple[dict[str, str], ...]
    room: Room | None = None

    def repels(self, *, softly: bool) -> set[str]:
        """Return the keys of the taints that keep pods away, those that only do so while others have room if asked."""
        own = {taint["key"] for taint in self.taints if softly or taint["effect"] != "PreferNoSchedule"}
        return own | set(GPU_TAINTS if self.size.startswith(GPU_SIZE) else ())


def seen_by_pods(pools: Mapping[str, NodePool]) -> tuple[Pool, ...]:
    """Return the pool that is part of the cluster, and the named `pools`."""
    name, size, nodes = DEFAULT_POOL
    default = Pool(name, size, nodes, nodes, {POOL_LABEL: name}, (KEEP_APPLICATIONS_AWAY,))
    return (default, *(_seen(name, pool) for name, pool in pools.items()))


def _seen(name: str, pool: NodePool) -> Pool:
    taints = ((SYSTEM_TAINT,) if pool.role == SYSTEM_ROLE else ()) + pool.node_taints
    return Pool(name, pool.size, pool.min_nodes, pool.max_nodes, {**pool.node_labels, POOL_LABEL: name}, taints)


def pool_name(name: str, size: str) -> str:
    """Return a pool's name in DigitalOcean, where the old pool still has its own while the one of a new size comes."""
    return f"{name}-{size.replace('_', '-').replace('.', '-')}"


def _refuse(key: str, found: Iterable[str], reserved: Mapping[str, str]) -> None:
    for name in found:
        if name in reserved:
            raise ValueError(f"{key} may not hold '{name}': {reserved[name]}; remove it")

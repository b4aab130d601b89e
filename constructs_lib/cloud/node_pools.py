"""The node pools of a DigitalOcean Kubernetes cluster.

Node counts are the autoscaler's, so no plan changes them. Only a pool that is replaced starts with a number, that of
the one before it; `operations` asks DigitalOcean for it at each plan: no configuration may refer to what it replaces.
"""

from __future__ import annotations

from typing import Any

from cdktf import TerraformStack, TerraformVariable, Token
from constructs import Construct

from constructs_lib.base.stacks import POOL_NODES
from constructs_lib.cloud.providers import digitalocean
from constructs_lib.environment.pools import DEFAULT_POOL, NodePool, pool_name
from constructs_lib.kit import POOL_LABEL, ROLE_LABEL, SYSTEM_ROLE, SYSTEM_TAINT

KEEP_APPLICATIONS_AWAY = {"key": "only", "value": DEFAULT_POOL.name, "effect": "PreferNoSchedule"}
"""A taint that repels nobody for good: CoreDNS tolerates no other of ours (digitalocean/DOKS issue 31)."""


def default_pool(tags: list[str]) -> dict[str, Any]:
    """Return the arguments of the pool that is part of the cluster."""
    return {
        "name": DEFAULT_POOL.name,
        "size": DEFAULT_POOL.size,
        "node_count": DEFAULT_POOL.nodes,
        "labels": {POOL_LABEL: DEFAULT_POOL.name},
        "taint": [KEEP_APPLICATIONS_AWAY],
        "tags": tags,
    }


class NodePools(Construct):
    """The named pools of a cluster; each moves to another size by new nodes that come before the old ones go."""

    def __init__(
        self, scope: Construct, id_: str, *, cluster_id: str, pools: dict[str, NodePool], tags: list[str]
    ) -> None:
        super().__init__(scope, id_)
        TerraformVariable(
            TerraformStack.of(self),
            POOL_NODES,
            type="map(number)",
            default={},
            nullable=False,
            description="How many nodes each pool has now, by its name; a pool that is replaced starts with as many.",
        )
        for name, pool in pools.items():
            digitalocean.kubernetes_node_pool.KubernetesNodePool(
                self,
                name,
                cluster_id=cluster_id,
                node_count=Token.as_number(f'${{lookup(var.{POOL_NODES}, "{name}", null)}}'),
                lifecycle={"create_before_destroy": True, "ignore_changes": ["node_count"]},
                **_arguments(name, pool, tags),
            )


def _arguments(name: str, pool: NodePool, tags: list[str]) -> dict[str, Any]:
    role = {} if pool.role is None else {ROLE_LABEL: pool.role}
    taints = [SYSTEM_TAINT] if pool.role == SYSTEM_ROLE else []
    return {
        "name": pool_name(name, pool.size),
        "size": pool.size,
        "auto_scale": True,
        "min_nodes": pool.min_nodes,
        "max_nodes": pool.max_nodes,
        "labels": {**pool.labels, POOL_LABEL: name, **role},
        "taint": [*taints, *(taint.model_dump() for taint in pool.taints)],
        "tags": [*tags, *pool.tags],
    }

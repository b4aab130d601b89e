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
from constructs_lib.environment.pools import NodePool, Pool, pool_name, seen_by_pods


def default_pool(tags: list[str]) -> dict[str, Any]:
    """Return the arguments of the pool that is part of the cluster."""
    pool, *_ = seen_by_pods({})
    return {
        "name": pool.name,
        "size": pool.size,
        "node_count": pool.least,
        "labels": pool.labels,
        "taint": list(pool.taints),
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
        for seen in seen_by_pods(pools)[1:]:
            digitalocean.kubernetes_node_pool.KubernetesNodePool(
                self,
                seen.name,
                cluster_id=cluster_id,
                node_count=Token.as_number(f'${{lookup(var.{POOL_NODES}, "{seen.name}", null)}}'),
                lifecycle={"create_before_destroy": True, "ignore_changes": ["node_count"]},
                **_arguments(seen, [*tags, *pools[seen.name].tags]),
            )


def _arguments(pool: Pool, tags: list[str]) -> dict[str, Any]:
    return {
        "name": pool_name(pool.name, pool.size),
        "size": pool.size,
        "auto_scale": True,
        "min_nodes": pool.least,
        "max_nodes": pool.most,
        "labels": pool.labels,
        "taint": list(pool.taints),
        "tags": tags,
    }

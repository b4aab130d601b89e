"""A DigitalOcean Kubernetes cluster with its network, project and node pools."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from constructs_lib.cloud.providers import digitalocean
from constructs_lib.environment import Environment
from constructs_lib.environment.cluster import NodePool
from constructs_lib.kit import POOL_LABEL, SYSTEM_POOL, SYSTEM_TAINT, WORKLOAD_POOL

PURPOSES = {"sandbox": "Development", "staging": "Staging", "production": "Production"}
"""Our tiers in the words of a DigitalOcean project (provider v2.71.0 `digitalocean/project/resource_project.go`)."""


class DoksCluster(Construct):
    """The cluster of an environment, in a VPC and a project of its own.

    The default pool is the system pool: its taint admits platform services alone. The workload pool has a node at all
    times and no taint of ours, since CoreDNS has to run somewhere (digitalocean/DOKS issue 31). A protected cluster
    cannot be destroyed, and what its controllers made outside it is kept.
    """

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        tag = digitalocean.tag.Tag(self, "tag", name=f"environment:{env.name}").name
        cluster = self._cluster(env, tag)
        workload_pool = _pool(WORKLOAD_POOL, env.cluster.workload_pool, [tag, *env.cluster.tags], [])
        digitalocean.kubernetes_node_pool.KubernetesNodePool(self, "workload", cluster_id=cluster.id, **workload_pool)
        project = digitalocean.project.Project(
            self,
            "project",
            name=env.cluster.name,
            description=_described(f"Environment {env.name}", env),
            purpose="Service or API",
            environment=PURPOSES[env.tier],
        )
        # Not `resources` of the project: that would list, and then remove, what the cluster's controllers add to it.
        digitalocean.project_resources.ProjectResources(
            self, "project-resources", project=project.id, resources=[cluster.urn]
        )

    def _cluster(self, env: Environment, tag: str) -> digitalocean.kubernetes_cluster.KubernetesCluster:
        settings = env.cluster
        versions = digitalocean.data_digitalocean_kubernetes_versions.DataDigitaloceanKubernetesVersions(
            self, "versions", version_prefix=f"{settings.kubernetes_minor}."
        )
        return digitalocean.kubernetes_cluster.KubernetesCluster(
            self,
            "cluster",
            name=settings.name,
            region=env.region,
            vpc_uuid=self._network(env),
            version=versions.latest_version,
            ha=settings.high_availability,
            auto_upgrade=True,
            surge_upgrade=True,
            maintenance_policy=settings.maintenance_window.model_dump(),
            control_plane_firewall={
                "enabled": bool(settings.control_plane_allowed_addresses),
                "allowed_addresses": [str(address) for address in settings.control_plane_allowed_addresses],
            },
            kubeconfig_expire_seconds=settings.kubeconfig_expire_seconds,
            destroy_all_associated_resources=not settings.protected,
            tags=[tag, *settings.tags],
            node_pool=_pool(SYSTEM_POOL, settings.system_pool, [tag, *settings.tags], [SYSTEM_TAINT]),
            lifecycle={"prevent_destroy": settings.protected},
        )

    def _network(self, env: Environment) -> str:
        """Add the VPC and return its id."""
        return digitalocean.vpc.Vpc(
            self,
            "vpc",
            name=env.cluster.name,
            region=env.region,
            ip_range=str(env.vpc_range),
            description=_described(f"Network of the cluster {env.cluster.name}", env),
            lifecycle={"prevent_destroy": env.cluster.protected},
        ).id


def _described(text: str, env: Environment) -> str:
    """Return a description with the environment's tags, for what DigitalOcean cannot tag."""
    return " ".join([text, *env.cluster.tags])


def _pool(name: str, pool: NodePool, tags: list[str], taints: list[dict[str, str]]) -> dict[str, Any]:
    """Return the arguments that a cluster's default pool and a further pool have in common."""
    return {
        "name": name,
        "size": pool.size,
        "auto_scale": True,
        "min_nodes": pool.min_nodes,
        "max_nodes": pool.max_nodes,
        "labels": {**pool.labels, POOL_LABEL: name},
        "taint": [*taints, *(taint.model_dump() for taint in pool.taints)],
        "tags": tags,
    }

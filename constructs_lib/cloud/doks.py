"""A DigitalOcean Kubernetes cluster with its network, project and node pools."""

from __future__ import annotations

from ipaddress import IPv4Network

from cdktf import Postcondition, Precondition, TerraformStack, TerraformVariable
from constructs import Construct

from constructs_lib.base.stacks import GENERATION_TAG, KUBERNETES_VERSION
from constructs_lib.cloud.node_pools import NodePools, default_pool
from constructs_lib.cloud.providers import digitalocean
from constructs_lib.environment import Environment
from constructs_lib.environment.network import ExistingVpc

PURPOSES = {"sandbox": "Development", "staging": "Staging", "production": "Production"}
"""Our tiers in the words of a DigitalOcean project (provider v2.71.0 `digitalocean/project/resource_project.go`)."""


class DoksCluster(Construct):
    """The cluster of an environment, in a project and, unless one is named, a VPC of its own.

    All that runs here and is not DigitalOcean's is on the named pools. A protected cluster cannot be destroyed, and
    what its controllers made outside it is kept; its pools can be replaced.
    """

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        tag = digitalocean.tag.Tag(self, "tag", name=f"environment:{env.name}").name
        tags = [tag, *env.doks.tags]
        cluster = self._cluster(env, tags)
        NodePools(self, "pool", cluster_id=cluster.id, pools=env.doks.pools, tags=tags)
        project = digitalocean.project.Project(
            self,
            "project",
            name=env.doks.name,
            description=_described(f"Environment {env.name}", env),
            purpose="Service or API",
            environment=PURPOSES[env.tier],
        )
        # Not `resources` of the project: that would list, and then remove, what the cluster's controllers add to it.
        digitalocean.project_resources.ProjectResources(
            self, "project-resources", project=project.id, resources=[cluster.urn]
        )

    def _cluster(self, env: Environment, tags: list[str]) -> digitalocean.kubernetes_cluster.KubernetesCluster:
        settings = env.doks
        return digitalocean.kubernetes_cluster.KubernetesCluster(
            self,
            "cluster",
            name=settings.name,
            region=env.region,
            vpc_uuid=self._network(env),
            version=self._version(),
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
            tags=[*tags, f"{GENERATION_TAG}{settings.generation}"],
            node_pool=default_pool(tags),
            lifecycle={"prevent_destroy": settings.protected, "precondition": [_minor_is(settings.kubernetes_minor)]},
            cluster_subnet=_range(settings.network.cluster_subnet),
            service_subnet=_range(settings.network.service_subnet),
        )

    def _version(self) -> str:
        """Add the variable for the version, and return a reference to it.

        It has no default: only what runs can say which patch DigitalOcean has installed meanwhile.
        """
        TerraformVariable(
            TerraformStack.of(self),
            KUBERNETES_VERSION,
            type="string",
            nullable=False,
            description="The version that runs, or that of the next minor; `operations provision` finds it.",
        )
        return f"${{var.{KUBERNETES_VERSION}}}"

    def _network(self, env: Environment) -> str:
        """Find or add the VPC and return its id."""
        if env.doks.network.vpc is not None:
            return self._existing_vpc(env, env.doks.network.vpc)
        return digitalocean.vpc.Vpc(
            self,
            "vpc",
            name=env.doks.name,
            region=env.region,
            ip_range=str(env.vpc_range),
            description=_described(f"Network of the cluster {env.doks.name}", env),
            lifecycle={"prevent_destroy": env.doks.protected},
        ).id

    def _existing_vpc(self, env: Environment, vpc: ExistingVpc) -> str:
        """Find the VPC that the file names, and refuse another range or region than the file says."""
        wanted = {"ip_range": str(env.vpc_range), "region": env.region}
        conditions = [
            Postcondition(
                condition=f'${{self.{key} == "{value}"}}',
                error_message=f"The VPC's {key} is ${{self.{key}}}, and environments/{env.name}.yaml says {value}.",
            )
            for key, value in wanted.items()
        ]
        return digitalocean.data_digitalocean_vpc.DataDigitaloceanVpc(
            self, "vpc", **vpc.model_dump(exclude_none=True), lifecycle={"postcondition": conditions}
        ).id


def _minor_is(minor: str) -> Precondition:
    """Return the condition by which a plan that was given the version of another minor fails."""
    return Precondition(
        condition=f'${{startswith(var.{KUBERNETES_VERSION}, "{minor}.")}}',
        error_message=f"{KUBERNETES_VERSION} has to be a version of {minor}, as cluster.kubernetes_minor says.",
    )


def _range(subnet: IPv4Network | None) -> str | None:
    return None if subnet is None else str(subnet)


def _described(text: str, env: Environment) -> str:
    """Return a description with the environment's tags, for what DigitalOcean cannot tag."""
    return " ".join([text, *env.doks.tags])

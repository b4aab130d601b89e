"""What can be recovered: the clusters of three kinds, what a file says of each, and how far it is in the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.environment import Environment
from constructs_lib.platform import cloudnative_pg, rabbitmq_operator, valkey_operator
from constructs_lib.platform.cloudnative_pg.settings import PostgresCluster
from constructs_lib.platform.cloudnative_pg.store import ARCHIVES
from constructs_lib.platform.rabbitmq_operator import cluster as rabbitmq
from constructs_lib.platform.rabbitmq_operator.cluster import RabbitmqCluster
from constructs_lib.platform.recovery import recovery_name
from constructs_lib.platform.valkey_operator import cluster as valkey
from constructs_lib.platform.valkey_operator.cluster import ValkeyCluster
from operations.rotation.in_cluster import InCluster

Cluster = PostgresCluster | RabbitmqCluster | ValkeyCluster


class Kind(NamedTuple):
    """A kind of service: its component's key in files, and its clusters' namespace, API and plural in the cluster.

    `ends` is how the name of what the bucket has of one ends, after kind and archive.
    """

    name: str
    component: str
    namespace: str
    api: str
    plural: str
    ends: str

    @property
    def steps(self) -> tuple[str, ...]:
        """The way to its clusters in an environment's file."""
        return ("platform", self.component, "clusters")

    def clusters(self, env: Environment) -> tuple[Cluster, ...]:
        """Return those that an environment has."""
        component = env.platform.by_name[self.component]
        return getattr(component, "clusters", ()) if component.enabled else ()

    def cluster(self, env: Environment, name: str) -> Cluster | None:
        """Return the one with a name, if there is one."""
        return next((one for one in self.clusters(env) if one.name == name), None)

    def is_there(self, there: InCluster, one: Cluster) -> bool:
        """Return whether the cluster has one, in whatever state."""
        return there.item(self.api, self.plural, self.namespace, one.name) is not None

    def backup(self, env: Environment, one: Cluster) -> str:
        """Return how the keys begin of what the bucket holds of one."""
        return f"{self.name}/{archive_of(env, one)}{self.ends}"

    def lacks(self, there: InCluster, one: Cluster) -> str | None:
        """Return what is still to happen in the cluster until one is recovered; nothing once it is."""
        if isinstance(one, PostgresCluster):
            found = there.item(self.api, self.plural, self.namespace, one.name)
            status = (found or {}).get("status", {})
            if status.get("phase") == HEALTHY:
                return None
            return f"is {status.get('phase', 'not there yet') if found else 'not there yet'}"
        if one.recover_from is None:
            return None
        job = recovery_name(one.name, one.recover_from)
        found = there.item("batch/v1", "jobs", self.namespace, job)
        status = (found or {}).get("status", {})
        if status.get("succeeded"):
            return None
        if status.get("failed"):
            logs = f"kubectl -n {self.namespace} logs -l recover={one.name} --all-containers"
            again = f"kubectl -n {self.namespace} delete job {job}"
            return f"could not be recovered; `{logs}` says why, and `{again}` lets it be tried again"
        return f"waits for job {job}"


HEALTHY = "Cluster in healthy state"
"""cloudnative-pg v1.30.0 `api/v1/cluster_types.go`, PhaseHealthy."""
KINDS = (
    Kind(ARCHIVES, "cloudnative_pg", cloudnative_pg.NAMESPACE, cloudnative_pg.API, "clusters", "/"),
    Kind("rabbitmq", "rabbitmq_operator", rabbitmq_operator.NAMESPACE, rabbitmq.API, "rabbitmqclusters", ".tar.gz"),
    Kind("valkey", "valkey_operator", valkey_operator.NAMESPACE, valkey.API, "valkeys", ".tar.gz"),
)


def kind_of(name: str) -> Kind:
    """Return a kind by its name. Raises `ConfigError` with those that there are."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ConfigError(unknown("kind", name, [kind.name for kind in KINDS]))


def every(env: Environment) -> Iterator[tuple[Kind, Cluster]]:
    """Yield every cluster of an environment that holds data which can be recovered."""
    return ((kind, one) for kind in KINDS for one in kind.clusters(env))


def archive_of(env: Environment, one: Cluster) -> str:
    """Return what holds the backups of a cluster."""
    return f"{one.name}-{env.cluster.generation}"

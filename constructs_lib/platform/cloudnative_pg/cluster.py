"""The objects of one Postgres cluster: the cluster, its databases, its backups, its pooler.

Upstream: cloudnative-pg/cloudnative-pg v1.30.0 `docs/src/{bootstrap,certificates,connection_pooling}.md`,
`docs/src/{recovery,replication}.md` and cloudnative-pg/plugin-barman-cloud v0.13.0 `web/docs/usage.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.kit import (
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Manifest,
    manifest,
    resources,
)
from constructs_lib.platform.cloudnative_pg.parameters import ARCHIVE_TIMEOUT
from constructs_lib.platform.cloudnative_pg.settings import NAMESPACE, Database, Pooler, PostgresCluster, Role
from constructs_lib.platform.cloudnative_pg.store import object_store

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

API = "postgresql.cnpg.io/v1"
OPERATOR_NAMESPACE = "cnpg-system"
PLUGIN = "barman-cloud.cloudnative-pg.io"
ORIGIN = "origin"


def cluster_objects(env: Environment, cluster: PostgresCluster) -> Iterator[Manifest]:
    """Yield the cluster, its store of backups and their schedule, its databases and the pooler."""
    yield cluster.kept(object_store(env, cluster))
    yield cluster.kept(manifest(API, "Cluster", cluster.name, NAMESPACE, spec=_spec(env, cluster)))
    yield _scheduled_backup(cluster)
    for database in cluster.databases:
        yield cluster.kept(_database(cluster, database))
    if cluster.pooler is not None:
        yield _pooler(cluster, cluster.pooler)


def _spec(env: Environment, cluster: PostgresCluster) -> Manifest:
    spec: Manifest = {
        "instances": cluster.instances,
        "imageName": cluster.image,
        "primaryUpdateStrategy": "unsupervised",
        "primaryUpdateMethod": "switchover",
        "enableSuperuserAccess": False,
        "enablePDB": cluster.instances > 1,
        "certificates": {"serverTLSSecret": cluster.certificate, "serverCASecret": cluster.certificate},
        "bootstrap": _bootstrap(cluster),
        "managed": {"roles": [_role(cluster, role) for role in cluster.roles]},
        "storage": {"size": cluster.storage, "storageClass": env.cluster.kept_storage_class},
        "walStorage": {"size": cluster.wal_storage, "storageClass": env.cluster.kept_storage_class},
        "resources": resources(cluster.cpu, cluster.memory),
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "required" if cluster.synchronous else "preferred",
            "topologyKey": "kubernetes.io/hostname",
            "nodeSelector": SYSTEM_NODE_SELECTOR,
            "tolerations": SYSTEM_TOLERATIONS,
        },
        "postgresql": _postgresql(cluster),
        "plugins": [_plugin(cluster, cluster.archive(env.cluster.generation), isWALArchiver=True)],
    }
    if cluster.recover_from is not None:
        source = _plugin(cluster, cluster.recover_from.archive)
        spec["externalClusters"] = [{"name": ORIGIN, "plugin": source}]
    return spec


def _bootstrap(cluster: PostgresCluster) -> Manifest:
    first = cluster.first
    target: Manifest = {"database": first.name, "owner": first.owner}
    if cluster.databases:
        target["secret"] = {"name": cluster.secret_of(first.owner)}
    if cluster.recover_from is None:
        return {"initdb": {**target, "dataChecksums": True}}
    recovery: Manifest = {**target, "source": ORIGIN}
    if cluster.recover_from.until is not None:
        recovery["recoveryTarget"] = {"targetTime": cluster.recover_from.until}
    return {"recovery": recovery}


def _role(cluster: PostgresCluster, role: Role) -> Manifest:
    return {
        "name": role.name,
        "ensure": "present",
        "login": True,
        "connectionLimit": role.connection_limit,
        "passwordSecret": {"name": cluster.secret_of(role.name)},
    }


def _postgresql(cluster: PostgresCluster) -> Manifest:
    body: Manifest = {"parameters": {ARCHIVE_TIMEOUT: cluster.recovery.archive_timeout, **cluster.parameters}}
    body["pg_hba"] = [*_doors(cluster)]
    if cluster.preload_libraries:
        body["shared_preload_libraries"] = list(cluster.preload_libraries)
    if cluster.synchronous:
        body["synchronous"] = {"method": "any", "number": 1, "dataDurability": "required"}
    return body


def _doors(cluster: PostgresCluster) -> Iterator[str]:
    """Yield who gets into which database: the owner into its own, and roles that own none into each.

    Every role may connect to every database unless told otherwise; the operator's own rules come before, its rule for
    all others after (v1.30.0 `docs/src/postgresql_conf.md`, "The pg_hba section"). Without quotes `all` is everybody.
    """
    owners = {database.owner for database in cluster.databases}
    yield from (f'hostssl "{one.name}" "{one.owner}" all scram-sha-256' for one in cluster.databases)
    yield from (f'hostssl all "{role.name}" all scram-sha-256' for role in cluster.roles if role.name not in owners)
    yield "host all all all reject"


def _plugin(cluster: PostgresCluster, server_name: str, **more: bool) -> Manifest:
    parameters = {"barmanObjectName": cluster.name, "serverName": server_name}
    return {"name": PLUGIN, "parameters": parameters, **more}


def _scheduled_backup(cluster: PostgresCluster) -> Manifest:
    spec = {
        "schedule": cluster.backup_schedule,
        "immediate": True,
        "backupOwnerReference": "self",
        "cluster": {"name": cluster.name},
        "method": "plugin",
        "pluginConfiguration": {"name": PLUGIN},
    }
    return manifest(API, "ScheduledBackup", cluster.name, NAMESPACE, spec=spec)


def _database(cluster: PostgresCluster, database: Database) -> Manifest:
    spec: Manifest = {
        "name": database.name,
        "owner": database.owner,
        "cluster": {"name": cluster.name},
        "ensure": "present",
        "databaseReclaimPolicy": "retain",
    }
    if database.extensions:
        spec["extensions"] = [{"name": extension, "ensure": "present"} for extension in database.extensions]
    return manifest(API, "Database", cluster.database_of(database.name), NAMESPACE, spec=spec)


def _pooler(cluster: PostgresCluster, pooler: Pooler) -> Manifest:
    parameters = {"max_client_conn": str(pooler.max_client_connections)}
    container = {"name": "pgbouncer", "resources": resources("100m", "128Mi")}
    spec = {
        "cluster": {"name": cluster.name},
        "type": "rw",
        "instances": pooler.instances,
        "pgbouncer": {"poolMode": pooler.mode, "parameters": parameters},
        "template": {
            "spec": {
                "containers": [container],
                "nodeSelector": SYSTEM_NODE_SELECTOR,
                "tolerations": SYSTEM_TOLERATIONS,
            }
        },
    }
    return manifest(API, "Pooler", cluster.pooler_name, NAMESPACE, spec=spec)

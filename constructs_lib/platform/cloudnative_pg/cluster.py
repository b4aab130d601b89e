"""One Postgres cluster: its settings, and its objects.

Upstream: cloudnative-pg/cloudnative-pg v1.30.0 `docs/src/{bootstrap,certificates,connection_pooling}.md`,
`docs/src/{recovery,replication}.md` and cloudnative-pg/plugin-barman-cloud v0.13.0 `web/docs/{usage,object_stores}.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.errors import unknown
from constructs_lib.base.fields import (
    Cpu,
    ExtensionName,
    Image,
    Instant,
    Name,
    ServiceName,
    SixFieldSchedule,
    SqlName,
    unique,
)
from constructs_lib.base.quantities import Days, Hours, Memory, Storage
from constructs_lib.base.settings import Settings
from constructs_lib.kit import (
    KEPT_STORAGE_CLASS,
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Manifest,
    Pods,
    check_secrets,
    kept,
    manifest,
    object_name,
    resources,
)
from constructs_lib.platform.cloudnative_pg.parameters import Parameters

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

API = "postgresql.cnpg.io/v1"
OBJECT_STORES = "barmancloud.cnpg.io/v1"
OWNER_LABEL = "cnpg.io/cluster"
"""The label of every pod of a cluster, with its name."""
IMAGE = "ghcr.io/cloudnative-pg/postgresql:18.4-202608130737-system-trixie@sha256:42708a75345b7a48fdd9257b071830783a97fd228529196b6313187a7198e185"  # noqa: E501
"""The last build of 18.4 (cloudnative-pg/artifacts `image-catalogs/catalog-system-trixie.yaml`, its history)."""
NAMESPACE = "databases"
OPERATOR_NAMESPACE = "cnpg-system"
PLUGIN = "barman-cloud.cloudnative-pg.io"
BACKUP_SECRET = "backups"  # noqa: S105 - a name
ORIGIN = "origin"
TAKEN = frozenset({"ca", "postgres-tls", "pull-secret", "replication", "server", "superuser"})
"""How Secrets of a cluster end that are not of a role: the operator's (v1.30.0 `api/v1/cluster_types.go`), and ours."""


class Role(Settings):
    """A role that logs in with a password from Vault."""

    name: SqlName
    connection_limit: int = Field(default=-1, ge=-1, description="Connections at a time; -1 for no limit.")


class Database(Settings):
    """A database."""

    name: SqlName
    owner: SqlName = Field(description="One of the cluster's roles.")
    extensions: tuple[ExtensionName, ...] = Field(default=(), description="Extensions of the image that it has.")


class Pooler(Settings):
    """PgBouncer in front of the primary."""

    instances: int = Field(default=2, ge=1, le=20, description="Pods.")
    mode: Literal["session", "transaction"] = "transaction"
    max_client_connections: int = Field(default=1000, ge=10, description="Connections that each pod accepts.")


class Recovery(Settings):
    """Start the cluster from a backup in the environment's bucket instead of empty."""

    server_name: Annotated[Name, COMMON] = Field(
        description="Whose archive to read: the server_name of the cluster that was lost."
    )
    until: Instant | None = Field(default=None, description="Recover to this time; without it to the last transaction.")


class PostgresCluster(Settings):
    """A Postgres cluster with continuous backup."""

    name: ServiceName
    instances: int = Field(default=1, ge=1, le=9, description="A primary and its replicas.")
    storage: Storage = Storage("10Gi")
    wal_storage: Storage = Storage("5Gi")
    cpu: Cpu = Field(default="250m", description="CPU that each instance requests.")
    memory: Memory = Field(default=Memory("512Mi"), description="Memory that each instance requests, and its limit.")
    image: Image = Field(default=IMAGE, description="Image of Postgres, whose tag starts with the version.")
    parameters: Parameters = Field(default_factory=dict, description="PostgreSQL parameters.")
    preload_libraries: tuple[SqlName, ...] = Field(default=(), description="Libraries that each server loads at start.")
    roles: Annotated[tuple[Role, ...], unique("name")] = Field(min_length=1, description="Roles with a password.")
    databases: Annotated[tuple[Database, ...], unique("name")] = Field(min_length=1, description="Databases.")
    backup_schedule: SixFieldSchedule = Field(default="0 0 2 * * *", description="Base backups, in UTC.")
    backup_retention: Days = Field(default=Days("7d"), description="How far back a recovery can go.")
    backup_max_age: Hours = Field(
        default=Hours("26h"),
        description="Age of the last backup from which on it counts as missing; fits backup_schedule.",
    )
    pooler: Pooler | None = None
    server_name: Annotated[Name | None, COMMON] = Field(
        default=None, description="Folder of its archive in the bucket; its name unless given."
    )
    recover_from: Recovery | None = None

    @model_validator(mode="after")
    def _rules(self) -> Self:
        roles = [role.name for role in self.roles]
        check_secrets("roles", self.name, roles, TAKEN)
        for database in self.databases:
            if database.owner not in roles:
                raise ValueError(f"databases: owner of '{database.name}': {unknown('role', database.owner, roles)}")
        if self.recover_from is not None and self.recover_from.server_name == self.archive:
            raise ValueError(
                f"server_name must differ from recover_from.server_name, found '{self.archive}' twice; "
                "a recovered cluster writes an archive of its own"
            )
        return self

    @property
    def archive(self) -> str:
        """The folder of its archive in the bucket."""
        return self.server_name or self.name

    @property
    def pods(self) -> Pods:
        """Every pod of the cluster: instances, poolers, jobs."""
        return Pods(NAMESPACE, self.name, {OWNER_LABEL: self.name})

    @property
    def synchronous(self) -> bool:
        """Whether a commit waits for a replica: with three instances one may be lost without a stop."""
        return self.instances >= 3

    @property
    def certificate(self) -> str:
        """The name of the servers' certificate and of its Secret."""
        return f"{self.name}-postgres-tls"

    @property
    def services(self) -> tuple[str, ...]:
        """The Services by which clients know its servers and its pooler, which shows the same certificate."""
        return (*(f"{self.name}-{role}" for role in ("rw", "ro", "r")), self.pooler_name)

    @property
    def pooler_name(self) -> str:
        """The name of the pooler and of its Service."""
        return f"{self.name}-pooler"

    def secret_of(self, role: str) -> str:
        """Return the name of the Secret with a role's password."""
        return f"{self.name}-{object_name(role)}"


def cluster_objects(env: Environment, cluster: PostgresCluster) -> Iterator[Manifest]:
    """Yield the cluster, its store of backups and their schedule, its databases and the pooler."""
    yield kept(_object_store(env, cluster))
    yield kept(manifest(API, "Cluster", cluster.name, NAMESPACE, spec=_spec(cluster)))
    yield _scheduled_backup(cluster)
    for database in cluster.databases:
        yield kept(_database(cluster, database))
    if cluster.pooler is not None:
        yield _pooler(cluster, cluster.pooler)


def _spec(cluster: PostgresCluster) -> Manifest:
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
        "storage": {"size": cluster.storage, "storageClass": KEPT_STORAGE_CLASS},
        "walStorage": {"size": cluster.wal_storage, "storageClass": KEPT_STORAGE_CLASS},
        "resources": resources(cluster.cpu, cluster.memory),
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "required" if cluster.synchronous else "preferred",
            "topologyKey": "kubernetes.io/hostname",
            "nodeSelector": SYSTEM_NODE_SELECTOR,
            "tolerations": SYSTEM_TOLERATIONS,
        },
        "postgresql": _postgresql(cluster),
        "plugins": [_plugin(cluster, cluster.archive, isWALArchiver=True)],
    }
    if cluster.recover_from is not None:
        source = _plugin(cluster, cluster.recover_from.server_name)
        spec["externalClusters"] = [{"name": ORIGIN, "plugin": source}]
    return spec


def _bootstrap(cluster: PostgresCluster) -> Manifest:
    first = cluster.databases[0]
    target = {"database": first.name, "owner": first.owner, "secret": {"name": cluster.secret_of(first.owner)}}
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
    body: Manifest = {"parameters": cluster.parameters} if cluster.parameters else {}
    if cluster.preload_libraries:
        body["shared_preload_libraries"] = list(cluster.preload_libraries)
    if cluster.synchronous:
        body["synchronous"] = {"method": "any", "number": 1, "dataDurability": "required"}
    return body


def _plugin(cluster: PostgresCluster, server_name: str, **more: bool) -> Manifest:
    parameters = {"barmanObjectName": cluster.name, "serverName": server_name}
    return {"name": PLUGIN, "parameters": parameters, **more}


def _object_store(env: Environment, cluster: PostgresCluster) -> Manifest:
    """A store for each cluster, for retention is a setting of the store."""
    checksums = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
    spec = {
        "retentionPolicy": cluster.backup_retention,
        "configuration": {
            "destinationPath": f"s3://{env.backups.bucket}/postgres",
            "endpointURL": env.backups.endpoint,
            "s3Credentials": {
                "accessKeyId": {"name": BACKUP_SECRET, "key": "ACCESS_KEY_ID"},
                "secretAccessKey": {"name": BACKUP_SECRET, "key": "ACCESS_SECRET_KEY"},
            },
            "wal": {"compression": "gzip", "maxParallel": 4},
            "data": {"compression": "gzip", "jobs": 2},
        },
        # Spaces refuses the checksums that newer clients send unasked (plugin-barman-cloud `object_stores.md`).
        "instanceSidecarConfiguration": {
            "env": [{"name": name, "value": "when_required"} for name in checksums],
            # A base backup of an empty database took 188 MiB with Barman 3.13 on Python 3.13 (tests/e2e/node).
            "resources": resources("50m", "512Mi"),
        },
    }
    return manifest(OBJECT_STORES, "ObjectStore", cluster.name, NAMESPACE, spec=spec)


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
    name = f"{cluster.name}-{object_name(database.name)}"
    spec: Manifest = {
        "name": database.name,
        "owner": database.owner,
        "cluster": {"name": cluster.name},
        "ensure": "present",
        "databaseReclaimPolicy": "retain",
    }
    if database.extensions:
        spec["extensions"] = [{"name": extension, "ensure": "present"} for extension in database.extensions]
    return manifest(API, "Database", name, NAMESPACE, spec=spec)


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

"""The settings of one Postgres cluster, and how what belongs to it is called.

Upstream: cloudnative-pg/cloudnative-pg v1.30.0 `docs/src/{bootstrap,connection_pooling,recovery}.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.applications import Application
from constructs_lib.base.change import FREE, FREELY, VOLUME_GROWS, Change, Rule, refused, replaces, rolls, steps
from constructs_lib.base.errors import unknown
from constructs_lib.base.fields import Cpu, ServiceName, unique
from constructs_lib.base.quantities import Days, Hours, Memory, Minutes, Storage
from constructs_lib.base.service_fields import ExtensionName, Image, SixFieldSchedule, SqlName
from constructs_lib.base.settings import Settings
from constructs_lib.kit import (
    Pods,
    Retirable,
    check_secrets,
    object_name,
)
from constructs_lib.platform.cloudnative_pg.parameters import Parameters
from constructs_lib.platform.recovery import Origin, Rehearsed

OWNER_LABEL = "cnpg.io/cluster"
"""The label of every pod of a cluster, with its name."""
IMAGE = "ghcr.io/cloudnative-pg/postgresql:18.4-202608130737-system-trixie@sha256:42708a75345b7a48fdd9257b071830783a97fd228529196b6313187a7198e185"  # noqa: E501
"""The last build of 18.4 (cloudnative-pg/artifacts `image-catalogs/catalog-system-trixie.yaml`, its history)."""
NAMESPACE = "databases"
TAKEN = frozenset({"app", "ca", "postgres-tls", "pull-secret", "replication", "server", "superuser"})
"""How Secrets of a cluster end that are not of a role: the operator's (v1.30.0 `api/v1/cluster_types.go`), and ours."""


def same_major(old: str, new: str) -> Rule:
    """Another minor version rolls; another major one is refused."""
    before, after = (re.search(r":(\d+)[^/]*$", image.partition("@")[0]) for image in (old, new))
    if before is None or after is None or before[1] != after[1]:
        return refused("a major version is not changed in place here; add a cluster of the new one and copy the data")
    return rolls("its instances, replicas first")


class Role(Settings):
    """A role that logs in with a password from Vault."""

    name: SqlName
    connection_limit: Annotated[int, FREELY] = Field(
        default=-1, ge=-1, description="Connections at a time; -1 for no limit."
    )


class Database(Settings):
    """A database."""

    name: SqlName
    owner: Annotated[SqlName, FREELY] = Field(description="One of the cluster's roles.")
    extensions: Annotated[
        tuple[ExtensionName, ...],
        Change(FREE, removed=steps("an extension stays until somebody drops it in the database", "retire-data")),
    ] = Field(default=(), description="Extensions of the image that it has.")


class Pooler(Settings):
    """PgBouncer in front of the primary."""

    instances: int = Field(default=2, ge=1, le=20, description="Pods.")
    mode: Literal["session", "transaction"] = "transaction"
    max_client_connections: int = Field(default=1000, ge=10, description="Connections that each pod accepts.")


class Recovery(Rehearsed):
    """What a recovery has to keep to, and the drill that shows it."""

    rpo: Annotated[Minutes, FREELY] = Field(
        default=Minutes("10m"), description="Work of how long may be lost: the log is in the bucket within this time."
    )
    check: Annotated[str, FREELY] = Field(
        default="select true",
        min_length=1,
        description="SQL that has to return true in what was recovered: in the first database, as its owner.",
    )

    @property
    def archive_timeout(self) -> str:
        """When Postgres closes a segment that is not full: half of the time, since the bucket needs some too."""
        return f"{self.rpo.seconds // 2}s"


class PostgresCluster(Retirable):
    """A Postgres cluster with continuous backup."""

    name: ServiceName
    instances: Annotated[int, Change(FREE, smaller=rolls("the replicas that go, with their volumes"))] = Field(
        default=1, ge=1, le=9, description="A primary and its replicas."
    )
    storage: Annotated[Storage, VOLUME_GROWS] = Storage("10Gi")
    wal_storage: Annotated[Storage, VOLUME_GROWS] = Storage("5Gi")
    cpu: Cpu = Field(default="250m", description="CPU that each instance requests.")
    memory: Memory = Field(default=Memory("512Mi"), description="Memory that each instance requests, and its limit.")
    image: Annotated[Image, Change(rolls("its instances, replicas first"), judge=same_major)] = Field(
        default=IMAGE, description="Image of Postgres, whose tag starts with the version."
    )
    parameters: Parameters = Field(
        default_factory=dict, examples=[{"max_connections": "200"}], description="PostgreSQL parameters."
    )
    preload_libraries: tuple[SqlName, ...] = Field(
        default=(), examples=[["timescaledb"]], description="Libraries that each server loads at start."
    )
    roles: Annotated[
        tuple[Role, ...],
        unique("name"),
        Change(FREE, removed=steps("the role stays in the database with its password; drop it there", "retire-data")),
    ] = Field(default=(), description="Roles with a password, beside those of the applications that use the cluster.")
    databases: Annotated[
        tuple[Database, ...],
        unique("name"),
        Change(FREE, removed=steps("the database stays in the cluster with its data; drop it there", "retire-data")),
    ] = Field(default=(), description="Databases, beside those of the applications that use the cluster.")
    backup_schedule: Annotated[SixFieldSchedule, FREELY] = Field(
        default="0 0 2 * * *", description="Base backups, in UTC."
    )
    backup_retention: Annotated[Days, Change(FREE, smaller=replaces("the backups that are older"))] = Field(
        default=Days("7d"), description="How far back a recovery can go."
    )
    backup_max_age: Annotated[Hours, FREELY] = Field(
        default=Hours("26h"),
        description="Age of the last backup from which on it counts as missing; fits backup_schedule.",
    )
    recovery: Annotated[Recovery, FREELY] = Recovery()
    pooler: Annotated[
        Pooler | None,
        Change(rolls("the pooler"), added=FREE, removed=replaces("the pooler, to which clients may connect")),
    ] = None
    recover_from: Annotated[
        Origin | None,
        Change(
            refused("a cluster is recovered when it is made; add another cluster"),
            added=steps("it counts only while the cluster is made, or made anew", "recover-a-database"),
            removed=FREE,
        ),
    ] = None

    @model_validator(mode="after")
    def _rules(self) -> Self:
        self.check_owners()
        return self

    def with_applications(self, applications: Iterable[Application]) -> PostgresCluster:
        """Return it with the role and the database of each application that uses it and that it does not list."""
        roles = {role.name: role for role in self.roles}
        databases = {database.name: database for database in self.databases}
        for app in applications:
            if (wanted := app.uses.postgres.get(self.name)) is not None:
                name = wanted.database or app.account
                own = Database(name=name, owner=app.account, extensions=wanted.extensions)
                roles.setdefault(app.account, Role(name=app.account))
                databases.setdefault(name, own)
        return self.model_copy(update={"roles": tuple(roles.values()), "databases": tuple(databases.values())})

    def check_owners(self) -> None:
        """Raise `ValueError` for a role whose Secret is another's, and for a database of an unknown role."""
        roles = [role.name for role in self.roles]
        check_secrets("roles", self.name, roles, TAKEN)
        for database in self.databases:
            if database.owner not in roles:
                raise ValueError(f"databases: owner of '{database.name}': {unknown('role', database.owner, roles)}")

    def archive(self, generation: int) -> str:
        """Return the folder of its archive, below `ARCHIVES` in the bucket (docs/decisions/0033-archives.md)."""
        return f"{self.name}-{generation}"

    def check_recovery(self, generation: int) -> None:
        """Raise `ValueError` if it would archive into the folder that it is to be recovered from."""
        if self.recover_from is not None and self.recover_from.archive == self.archive(generation):
            raise ValueError(
                f"platform.cloudnative_pg.clusters: '{self.name}' would archive into {self.recover_from.archive}, which"
                " it recovers from; take another name, or raise cluster.generation where the whole cluster is new"
            )

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

    def host(self, *, pooled: bool) -> str:
        """Return the name by which clients know the primary, or the pooler before it."""
        return f"{self.pooler_name if pooled else f'{self.name}-rw'}.{NAMESPACE}.svc"

    def entry_of(self, role: str) -> str:
        """Return where a role's password is in Vault, below the platform's path."""
        return f"postgres/{self.name}/{role}"

    def secret_of(self, role: str) -> str:
        """Return the name of the Secret with a role's password."""
        return f"{self.name}-{object_name(role)}"

    def database_of(self, name: str) -> str:
        """Return the name of the object of a database."""
        return f"{self.name}-{object_name(name)}"

    @property
    def first(self) -> Database:
        """The database that it starts with; the operator's own where nobody has one yet (`docs/src/bootstrap.md`)."""
        return self.databases[0] if self.databases else Database(name="app", owner="app")

    @property
    def objects(self) -> Iterator[tuple[str, str, str]]:
        """The words for each setting that has an object, with its kind and name; Secrets of the operator too."""
        of = f"of '{self.name}'"
        yield from ((f"clusters: '{self.name}'", "Secret", f"{self.name}-{end}") for end in sorted(TAKEN))
        yield from ((f"roles: '{role.name}' {of}", "Secret", self.secret_of(role.name)) for role in self.roles)
        yield from (
            (f"databases: '{item.name}' {of}", "Database", self.database_of(item.name)) for item in self.databases
        )

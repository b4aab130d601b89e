"""What an application uses: clusters of the platform by their names, secrets, hosts and other applications."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.bucket import Access
from constructs_lib.base.change import FREE, FREELY, Change, Rule, replaces, rolls, steps
from constructs_lib.base.fields import Domain, Name, Port, ServiceName
from constructs_lib.base.service_fields import ExtensionName, RegularExpression, SecretKey, SqlName, VhostName
from constructs_lib.base.settings import Settings

OWN_DATABASE = "its database and its role stay in the cluster with their data; drop them there"
OWN_VHOST = "its user goes, and its vhost stays in the broker with its messages; delete it there"

OWN_BUCKET = "OpenTofu deletes the bucket, which Spaces refuses while something is in it; empty it first"


class OwnDatabase(Settings):
    """A database of its own in a cluster of Postgres, with a role that owns it."""

    database: Annotated[SqlName | None, Change(steps("the old database stays with its data", "retire-data"))] = Field(
        default=None, description="Its name; that of the application unless given, with _ for each hyphen."
    )
    extensions: Annotated[
        tuple[ExtensionName, ...],
        Change(FREE, removed=steps("an extension stays until somebody drops it in the database", "retire-data")),
    ] = Field(default=(), description="Extensions of the cluster's image that it has.")
    pooled: Annotated[bool, Change(rolls("the application, once it reads the other host"))] = Field(
        default=False, description="Whether it connects by the cluster's pooler."
    )


class OwnVhost(Settings):
    """A user of its own in a RabbitMQ broker, with rights in one vhost. Those that talk to each other name the same."""

    vhost: Annotated[VhostName | None, Change(steps("the old vhost stays with its messages", "retire-data"))] = Field(
        default=None, description="Its name; that of the application unless given."
    )
    configure: RegularExpression = Field(default=".*", description="Queues and exchanges that it may declare.")
    write: RegularExpression = ".*"
    read: RegularExpression = ".*"


class SharedCache(Settings):
    """A cluster of Valkey. Its operator knows one user, so that those who use the cluster share password and keys."""

    shared: Annotated[bool, FREELY] = Field(
        default=False, description="Whether others may use it too, who read and write its keys; each says it."
    )


def another_access(old: Access, new: Access) -> Rule:
    """Less is a right that is lost; more is free."""
    return replaces("the right to write into the bucket, within the run") if new == "read" != old else FREE


class OwnBucket(Settings):
    """A bucket of its own at Spaces, `<cluster>-<application>-<name>`, beside the state's, with a key of its own."""

    access: Annotated[Access, Change(FREE, judge=another_access)] = Field(
        default="readwrite", description="What its key may do."
    )


class Uses(Settings):
    """What an application reaches: each service by the name of its cluster, and nothing that is not named."""

    postgres: Annotated[
        dict[ServiceName, OwnDatabase],
        Change(rolls("what connects to it"), added=FREE, removed=steps(OWN_DATABASE, "retire-data")),
    ] = Field(default_factory=dict, description="Databases, by the cluster of cloudnative_pg that has each.")
    rabbitmq: Annotated[
        dict[ServiceName, OwnVhost],
        Change(rolls("what connects to it"), added=FREE, removed=steps(OWN_VHOST, "retire-data")),
    ] = Field(default_factory=dict, description="Users and vhosts, by the broker of rabbitmq_operator that has each.")
    valkey: dict[ServiceName, SharedCache] = Field(
        default_factory=dict, description="Caches, by the cluster of valkey_operator."
    )
    bucket: Annotated[
        dict[Name, OwnBucket],
        COMMON,
        Change(rolls("what reads its key"), added=FREE, removed=steps(OWN_BUCKET, "retire-data")),
    ] = Field(default_factory=dict, examples=[{"uploads": {}}], description="Buckets of its own, by a name.")
    secrets: Annotated[
        dict[Name, tuple[SecretKey, ...]],
        COMMON,
        Change(FREE, removed=replaces("the Secret that pods may have mounted")),
    ] = Field(
        default_factory=dict,
        examples=[{"stripe": ["api_key"]}],
        description="Entries of Vault below the application's own path, with the keys that each has.",
    )
    vault: bool = Field(
        default=False, description="Whether its pods log in to Vault themselves, as the service account vault."
    )
    reaches: Annotated[
        dict[Domain, Port],
        COMMON,
        Change(FREE, removed=replaces("the way there, unless another host of the same port is named")),
    ] = Field(
        default_factory=dict,
        examples=[{"api.stripe.com": 443}],
        description="Hosts outside with their port. Policies open the port, since they know no names.",
    )
    calls: Annotated[tuple[Name, ...], COMMON, Change(FREE, removed=replaces("the way to that application"))] = Field(
        default=(), description="Other applications, whose hosts' ports it reaches."
    )

"""The settings of one RabbitMQ broker, and how what belongs to it is called.

Upstream: rabbitmq/cluster-operator v2.22.3 `docs/api`, rabbitmq/messaging-topology-operator v1.20.1 `docs/examples`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.applications import Application
from constructs_lib.base.change import FREE, FREELY, VOLUME_GROWS, Change, refused, replaces, rolls, steps
from constructs_lib.base.errors import unknown
from constructs_lib.base.fields import NUMBER, Cpu, ServiceName, unique
from constructs_lib.base.quantities import Memory, Storage
from constructs_lib.base.service_fields import PluginName, RabbitmqName, RegularExpression, VhostName
from constructs_lib.base.settings import Settings
from constructs_lib.kit import Pods, Retirable, check_secrets, object_name
from constructs_lib.platform.recovery import CopyRecovery, Origin

NAMESPACE = "messaging"
MANAGEMENT_PORT = 15671
BACKUPS = "backups"
"""The user of copies: it may look at what there is, and has no right to any queue."""
TAKEN = frozenset({BACKUPS, "default-user", "erlang-cookie", "rabbitmq-tls"})
"""How Secrets of a broker end that are not of a user: the operator's (v2.22.3 `internal/resource`), and ours."""
COMPONENT = {"app.kubernetes.io/component": "rabbitmq"}


class Permission(Settings):
    """What a user may do in a vhost, as regular expressions on names."""

    vhost: VhostName = Field(description="One of the broker's vhosts.")
    configure: RegularExpression = Field(default=".*", description="Queues and exchanges that the user may declare.")
    write: RegularExpression = ".*"
    read: RegularExpression = ".*"


class User(Settings):
    """A user with credentials from Vault."""

    name: RabbitmqName
    tags: Annotated[
        tuple[Literal["management", "policymaker", "monitoring", "administrator"], ...],
        Change(rolls("what the user may do with the broker itself")),
    ] = ()
    permissions: Annotated[
        tuple[Permission, ...],
        unique("vhost"),
        Change(
            rolls("what the user may do in the vhost"),
            removed=replaces("the user's right in the vhost: its clients are turned away there"),
            by="vhost",
        ),
    ] = ()


class QueuePolicy(Settings):
    """A policy on the queues of a vhost."""

    name: RabbitmqName
    vhost: Annotated[VhostName, Change(refused("its operator never changes it; give the policy another name too"))] = (
        Field(description="One of the broker's vhosts.")
    )
    pattern: RegularExpression = Field(default=".*", description="Regular expression on the names of queues.")
    apply_to: Literal["queues", "quorum_queues", "classic_queues", "streams", "exchanges", "all"] = "quorum_queues"
    definition: dict[str, Any] = Field(min_length=1, description="Keys of the policy, such as delivery-limit.")
    priority: int = Field(default=0, ge=0)


class DefinitionsRecovery(CopyRecovery):
    """What a recovery of definitions has to keep to, and the drill that shows it."""

    check: Annotated[str, FREELY] = Field(
        default="list_vhosts",
        min_length=1,
        description="Arguments of rabbitmqctl, which has to print something in a broker that has what was copied.",
    )


class RabbitmqCluster(Retirable):
    """A RabbitMQ broker: TLS alone, quorum queues by default."""

    name: ServiceName
    replicas: Annotated[
        Literal[1, 3, 5, 7],
        NUMBER,
        Change(FREE, smaller=refused("the operator takes no node out of a broker; make another broker and move to it")),
    ] = Field(default=1, description="Nodes; an odd number, so that there is a majority.")
    storage: Annotated[Storage, VOLUME_GROWS] = Storage("10Gi")
    cpu: Cpu = "250m"
    memory: Memory = Field(default=Memory("1Gi"), description="Memory of each node, requested and limit.")
    plugins: tuple[PluginName, ...] = Field(default=(), description="Plugins beside those that the operator turns on.")
    vhosts: Annotated[
        tuple[VhostName, ...],
        Change(FREE, removed=steps("the vhost stays in the broker with its messages; delete it there", "retire-data")),
    ] = Field(default=(), description="Vhosts, beside those of the applications that use the broker.")
    users: Annotated[
        tuple[User, ...], unique("name"), Change(FREE, removed=replaces("the user: its clients are turned away"))
    ] = Field(default=(), description="Users, beside those of the applications that use the broker.")
    policies: Annotated[
        tuple[QueuePolicy, ...], unique("name"), Change(replaces("what its queues hold beyond new limits and ages"))
    ] = ()

    recovery: Annotated[DefinitionsRecovery, FREELY] = DefinitionsRecovery()
    recover_from: Annotated[
        Origin | None,
        Change(FREE, added=steps("what was copied is declared once, beside what there is", "recover-a-database")),
    ] = None

    @model_validator(mode="after")
    def _vhosts_are_there_once(self) -> Self:
        if doubles := {name for name in self.vhosts if self.vhosts.count(name) > 1}:
            raise ValueError(f"vhosts names '{min(doubles)}' twice; remove one")
        check_secrets("users", self.name, (user.name for user in self.users), TAKEN)
        return self

    def with_applications(self, applications: Iterable[Application]) -> RabbitmqCluster:
        """Return it with the vhost and the user of each application that uses it and that it does not list."""
        vhosts, users = dict.fromkeys(self.vhosts), {user.name: user for user in self.users}
        for app in applications:
            if (wanted := app.uses.rabbitmq.get(self.name)) is not None:
                vhost = wanted.vhost or app.name
                rights = Permission(vhost=vhost, **wanted.model_dump(include={"configure", "write", "read"}))
                vhosts.setdefault(vhost)
                users.setdefault(app.name, User(name=app.name, permissions=(rights,)))
        return self.model_copy(update={"vhosts": tuple(vhosts), "users": tuple(users.values())})

    def check_vhosts(self) -> None:
        """Raise `ValueError` for a user whose Secret is another's, and for an unknown vhost."""
        check_secrets("users", self.name, (user.name for user in self.users), TAKEN)
        named = [(f"users: '{user.name}'", item.vhost) for user in self.users for item in user.permissions]
        named += [(f"policies: '{policy.name}'", policy.vhost) for policy in self.policies]
        for where, vhost in named:
            if vhost not in self.vhosts:
                raise ValueError(f"{where}: {unknown('vhost', vhost, self.vhosts)}")

    @property
    def every_user(self) -> tuple[User, ...]:
        """Its users, and the one of copies."""
        nothing = dict.fromkeys(("configure", "write", "read"), "^$")
        seen = tuple(Permission(vhost=vhost, **nothing) for vhost in self.vhosts)
        return (*self.users, User(name=BACKUPS, tags=("management",), permissions=seen))

    @property
    def certificate(self) -> str:
        """The name of the broker's certificate and of its Secret."""
        return f"{self.name}-rabbitmq-tls"

    @property
    def pods(self) -> Pods:
        """The pods of the broker (`internal/metadata/label.go`)."""
        return Pods(NAMESPACE, f"broker-{self.name}", {"app.kubernetes.io/name": self.name, **COMPONENT})

    @property
    def host(self) -> str:
        """The name by which clients know the broker."""
        return f"{self.name}.{NAMESPACE}.svc"

    def entry_of(self, user: str) -> str:
        """Return where a user's password is in Vault, below the platform's path."""
        return f"rabbitmq/{self.name}/{user}"

    def secret_of(self, user: str) -> str:
        """Return the name of the Secret with a user's credentials."""
        return f"{self.name}-{object_name(user)}"

    def vhost_of(self, vhost: str) -> str:
        """Return the name of the object of a vhost."""
        return f"{self.name}-{object_name(vhost)}"

    def permission_of(self, user: str, vhost: str) -> str:
        """Return the name of the object with a user's permission in a vhost."""
        return f"{self.secret_of(user)}-{object_name(vhost)}"

    def policy_of(self, policy: str) -> str:
        """Return the name of the object of a policy."""
        return f"{self.name}-{object_name(policy)}"

    @property
    def objects(self) -> Iterator[tuple[str, str, str]]:
        """The words for each setting that has an object, with its kind and name; Secrets of the operator too."""
        of = f"of '{self.name}'"
        made = sorted(TAKEN - {BACKUPS})
        yield from ((f"clusters: '{self.name}'", "Secret", f"{self.name}-{end}") for end in made)
        yield from ((f"vhosts: '{vhost}' {of}", "Vhost", self.vhost_of(vhost)) for vhost in self.vhosts)
        yield from ((f"policies: '{item.name}' {of}", "Policy", self.policy_of(item.name)) for item in self.policies)
        for user in self.every_user:
            words = f"users: '{user.name}' {of}"
            yield words, "Secret", self.secret_of(user.name)
            for item in user.permissions:
                yield f"{words} in '{item.vhost}'", "Permission", self.permission_of(user.name, item.vhost)


def administrator_secret(broker: str) -> str:
    """Return the Secret of the user that the operator makes, who may do all."""
    return f"{broker}-default-user"

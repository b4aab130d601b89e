"""One RabbitMQ broker: its settings, its objects, and what is declared inside it.

Upstream: rabbitmq/cluster-operator v2.22.3 `docs/api`, rabbitmq/messaging-topology-operator v1.20.1 `docs/examples`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.applications import Application
from constructs_lib.base.change import FREE, VOLUME_GROWS, Change, refused, replaces, rolls, steps
from constructs_lib.base.errors import unknown
from constructs_lib.base.fields import (
    NUMBER,
    Cpu,
    PluginName,
    RabbitmqName,
    RegularExpression,
    ServiceName,
    VhostName,
    unique,
)
from constructs_lib.base.quantities import Memory, Storage
from constructs_lib.base.settings import Settings
from constructs_lib.kit import (
    ON_SYSTEM_POOL,
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Manifest,
    Pods,
    Retirable,
    Workload,
    at,
    check_secrets,
    manifest,
    object_name,
    resources,
    spread,
    workload,
)
from constructs_lib.platform.cert_manager import certificate

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

API = "rabbitmq.com/v1beta1"
IMAGE = "docker.io/library/rabbitmq:4.2.6-management"
NAMESPACE = "messaging"
TAKEN = frozenset({"default-user", "erlang-cookie", "rabbitmq-tls"})
"""How Secrets of a broker end that are not of a user: the operator's (v2.22.3 `internal/resource`), and ours."""
COMPONENT = {"app.kubernetes.io/component": "rabbitmq"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


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
        yield from ((f"clusters: '{self.name}'", "Secret", f"{self.name}-{end}") for end in sorted(TAKEN))
        yield from ((f"vhosts: '{vhost}' {of}", "Vhost", self.vhost_of(vhost)) for vhost in self.vhosts)
        yield from ((f"policies: '{item.name}' {of}", "Policy", self.policy_of(item.name)) for item in self.policies)
        for user in self.users:
            words = f"users: '{user.name}' {of}"
            yield words, "Secret", self.secret_of(user.name)
            for item in user.permissions:
                yield f"{words} in '{item.vhost}'", "Permission", self.permission_of(user.name, item.vhost)


def cluster_objects(env: Environment, cluster: RabbitmqCluster) -> Iterator[Manifest]:
    """Yield the broker and its certificate, and a budget that never lets two of its nodes go at once."""
    services = (cluster.name, f"*.{cluster.name}-nodes")
    yield certificate(cluster.certificate, NAMESPACE, services)
    labels = {"app.kubernetes.io/name": cluster.name}
    pods = {"containers": [], "topologySpreadConstraints": spread(**labels)}  # the schema asks for `containers`
    plugins = cluster.plugins
    config = "cluster_partition_handling = pause_minority\ndefault_queue_type = quorum\n"
    # The operator lets a broker that knows a CA verify clients; applications have passwords and no certificates, which
    # RabbitMQ 4.3 on Erlang 29 then asks for unless told otherwise (tests/e2e/node).
    config += "ssl_options.fail_if_no_peer_cert = false\n"
    spec: Manifest = {
        "image": IMAGE,
        "replicas": cluster.replicas,
        "resources": resources(cluster.cpu, cluster.memory),
        "persistence": {"storageClassName": env.cluster.kept_storage_class, "storage": cluster.storage},
        "tls": {
            "secretName": cluster.certificate,
            "caSecretName": cluster.certificate,
            "disableNonTLSListeners": True,
        },
        "rabbitmq": {"additionalConfig": config} | ({"additionalPlugins": list(plugins)} if plugins else {}),
        "terminationGracePeriodSeconds": 600,
        "tolerations": SYSTEM_TOLERATIONS,
        "affinity": _affinity(labels, required=cluster.replicas > 1 and env.tier == "production"),
        "override": {"statefulSet": {"spec": {"template": {"spec": pods}}}},
    }
    yield cluster.kept(manifest(API, "RabbitmqCluster", cluster.name, NAMESPACE, spec=spec))
    if cluster.replicas > 1:
        # The operator makes none (cluster-operator v2.22.3 `docs/examples/production-ready`).
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": cluster.pods.labels}}
        yield manifest("policy/v1", "PodDisruptionBudget", cluster.name, NAMESPACE, spec=budget)


def cluster_workloads(env: Environment) -> Iterator[Workload]:
    """Yield the pods of every broker; the container that prepares one asks for less than it."""
    for name, spec in env.rendered.specs(API, "RabbitmqCluster"):
        apart = bool(at(spec, f"affinity.podAntiAffinity.{REQUIRED}"))
        used, pods = spec.get("resources"), spec.get("replicas")
        yield workload(NAMESPACE, f"StatefulSet/{name}-server", ON_SYSTEM_POOL, used, pods=pods, volumes=1, apart=apart)


def topology_objects(cluster: RabbitmqCluster) -> Iterator[Manifest]:
    """Yield the vhosts, users, permissions and policies; only a retained vhost keeps its messages."""
    broker = {"rabbitmqClusterReference": {"name": cluster.name}}
    for vhost in cluster.vhosts:
        spec = {"name": vhost, "defaultQueueType": "quorum", "deletionPolicy": "retain", **broker}
        yield manifest(API, "Vhost", cluster.vhost_of(vhost), NAMESPACE, spec=spec)
    for user in cluster.users:
        name = cluster.secret_of(user.name)
        spec = {"importCredentialsSecret": {"name": name}, "tags": list(user.tags), **broker}
        yield manifest(API, "User", name, NAMESPACE, spec=spec)
        for item in user.permissions:
            rights = {"configure": item.configure, "write": item.write, "read": item.read}
            spec = {"vhost": item.vhost, "userReference": {"name": name}, "permissions": rights, **broker}
            yield manifest(API, "Permission", cluster.permission_of(user.name, item.vhost), NAMESPACE, spec=spec)
    for policy in cluster.policies:
        spec = {**policy.model_dump(include={"name", "vhost", "pattern", "definition", "priority"}), **broker}
        spec["applyTo"] = policy.apply_to
        yield manifest(API, "Policy", cluster.policy_of(policy.name), NAMESPACE, spec=spec)


def _affinity(labels: dict[str, str], *, required: bool) -> Manifest:
    """The broker's own field for node selectors is missing, hence a node affinity."""
    pools = [{"key": key, "operator": "In", "values": [value]} for key, value in SYSTEM_NODE_SELECTOR.items()]
    nodes = {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": pools}]}}
    apart = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}
    if required:
        return {"nodeAffinity": nodes, "podAntiAffinity": {REQUIRED: [apart]}}
    weighted = [{"weight": 100, "podAffinityTerm": apart}]
    return {"nodeAffinity": nodes, "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": weighted}}

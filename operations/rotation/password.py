"""A new password for what applications log in to. Each server has one at a time, so the order is all that helps.

Vault and the cluster get the new one at once, the operator gives it to the server, then those who log in read it.
Connections that are open stay; whoever logs in with the old one meanwhile is refused (docs/how-to/rotate-secrets.md).

Upstream: cloudnative-pg v1.30.0 `docs/src/declarative_role_management.md` (the operator follows the Secret, and says
which version it applied), rabbitmq/messaging-topology-operator v1.20.1 `api/v1beta1/user_types.go` (it watches the
Secret), hyperspike/valkey-operator v0.0.61 `internal/controller/valkey_controller.go` (nodes read it when they start,
the operator each time), grafana-community/helm-charts grafana-12.11.1 `templates/_pod.tpl` (a variable of the pod; it
keeps nothing on a volume, so that each makes its administrator anew).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.kit import Pods
from constructs_lib.platform import cloudnative_pg, rabbitmq_operator
from constructs_lib.platform.observability import grafana
from constructs_lib.platform.observability.names import GRAFANA
from operations.rotation.in_cluster import Held, InCluster, in_cluster
from operations.rotation.revision import put
from operations.secrets.credentials import secrets_of
from operations.secrets.entries import new_password

PASSWORD, FORMER = "password", "former_password"
"""The property of an entry, and the one before it while a rotation is under way."""


class Server(NamedTuple):
    """Whose password it is: its Secret and the `key` there, and what the server lacks that Secret's version has."""

    namespace: str
    secret: str
    lacks: Callable[[InCluster, Held], str | None]
    key: str = PASSWORD


def rotate_password(env: Environment, whose: str) -> None:
    """Do the next step: a new password, or a look at whether the server has it. `whose` is as in Vault's path.

    Raises `ConfigError` for another name than those of the environment.
    """
    known = dict(_servers(env))
    if whose not in known:
        raise ConfigError(unknown("password", whose, list(known) or ["none"]))
    server, secrets = known[whose], secrets_of(env, Purpose.BOOTSTRAP)
    path = f"{env.vault.kv.platform}/{whose}"
    held = secrets.read(path)
    if PASSWORD not in held:
        raise ConfigError(f"Vault {secrets.mount}/{path}: {PASSWORD}: is missing; run `bootstrap secrets`")
    if FORMER not in held:
        put(secrets, path, **{FORMER: held[PASSWORD], PASSWORD: new_password()})
        say(f"Vault {secrets.mount}/{path}: a new {PASSWORD}")
    cluster = in_cluster(env, secrets)
    if cluster is not None and (lacking := _lacking(cluster, server, secrets.read(path)[PASSWORD])):
        say(f"{env.name}: {lacking}; run this again")
        return
    secrets.remove(path, FORMER)
    say(f"{whose}: has the new password; whoever logs in has to have it now")


def _lacking(cluster: InCluster, server: Server, new: str) -> str | None:
    """Return what is still to happen in the cluster; External Secrets is told to read the password now."""
    there = cluster.secret(server.namespace, server.secret)
    if there is None:
        return None
    if there.values.get(server.key) != new:
        cluster.read_again(server.namespace, server.secret)
        return f"External Secrets was told to bring it to {server.namespace}/{server.secret}"
    return server.lacks(cluster, there)


def _servers(env: Environment) -> Iterator[tuple[str, Server]]:
    """Yield each password by its path in Vault below the platform's."""
    platform, applications = env.platform, env.applications.values()
    for postgres in platform.cloudnative_pg.whole(applications):
        for role in postgres.roles:
            where = (cloudnative_pg.NAMESPACE, postgres.secret_of(role.name))
            yield postgres.entry_of(role.name), Server(*where, _postgres(postgres.name, role.name))
    for broker in platform.rabbitmq_operator.whole(applications):
        for user in broker.users:
            where = (rabbitmq_operator.NAMESPACE, broker.secret_of(user.name))
            yield broker.entry_of(user.name), Server(*where, _nothing)
    for cache in platform.valkey_operator.clusters:
        lacks = _started_anew(cache.pods, f"statefulset/{cache.name}")
        yield cache.entry, Server(cache.pods.namespace, cache.secret, lacks)
    if platform.observability.has_metrics:
        lacks = _started_anew(GRAFANA, f"deployment/{GRAFANA.deployment}")
        yield "grafana", Server(GRAFANA.namespace, grafana.SECRET, lacks, grafana.PASSWORD_KEY)


def _nothing(_there: InCluster, _held: Held) -> None:
    """The operator does not say which password the broker has; it sets it when the Secret changes."""


def _postgres(cluster: str, role: str) -> Callable[[InCluster, Held], str | None]:
    def lacks(there: InCluster, held: Held) -> str | None:
        found = there.item(cloudnative_pg.API, "clusters", cloudnative_pg.NAMESPACE, cluster) or {}
        passwords = found.get("status", {}).get("managedRolesStatus", {}).get("passwordStatus", {})
        if passwords.get(role, {}).get("resourceVersion") == held.version:
            return None
        return f"the operator has not given it to role {role} of {cluster} yet"

    return lacks


def _started_anew(pods: Pods, controller: str) -> Callable[[InCluster, Held], str | None]:
    restart = f"kubectl -n {pods.namespace} rollout restart {controller}"

    def lacks(there: InCluster, held: Held) -> str | None:
        if all(start is not None and start > held.written for start in there.started(pods.namespace, pods.labels)):
            return None
        return f"its pods take the old one until they start anew ({restart})"

    return lacks

"""The objects of a RabbitMQ broker: itself, and what is declared inside it.

Upstream: rabbitmq/cluster-operator v2.22.3 `docs/api`, rabbitmq/messaging-topology-operator v1.20.1 `docs/examples`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.kit import (
    ON_SYSTEM_POOL,
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Manifest,
    Workload,
    at,
    manifest,
    resources,
    spread,
    workload,
)
from constructs_lib.platform.cert_manager import certificate
from constructs_lib.platform.rabbitmq_operator.settings import NAMESPACE, RabbitmqCluster

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

API = "rabbitmq.com/v1beta1"
IMAGE = "docker.io/library/rabbitmq:4.2.6-management"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


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
    for user in cluster.every_user:
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

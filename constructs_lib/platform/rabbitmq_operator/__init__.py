"""RabbitMQ: the cluster and topology operators, and brokers with their vhosts, users and policies.

Upstream: rabbitmq/cluster-operator v2.22.3 and rabbitmq/messaging-topology-operator v1.20.1, `docs/`. In both modes
Flux applies their tagged releases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from constructs_lib.applications import Application
from constructs_lib.base.change import FREE, Change, rolls
from constructs_lib.base.fields import unique
from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import (
    EMPTY_FIRST,
    IS_READY,
    ON_SYSTEM_POOL,
    RETIRE,
    Deployment,
    Layer,
    LayerId,
    Link,
    Manifest,
    Operator,
    Pods,
    Ready,
    Workload,
    check_apart,
    group,
    is_true,
    namespace,
    to_api_server,
    webhook,
    workload,
)
from constructs_lib.platform import cert_manager, recovery
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.component import Component
from constructs_lib.platform.rabbitmq_operator import copies, health
from constructs_lib.platform.rabbitmq_operator.cluster import API, cluster_objects, cluster_workloads, topology_objects
from constructs_lib.platform.rabbitmq_operator.operators import CLUSTER_OPERATOR, TOPOLOGY_OPERATOR, install
from constructs_lib.platform.rabbitmq_operator.operators import NAMESPACE as OPERATOR_NAMESPACE
from constructs_lib.platform.rabbitmq_operator.settings import COMPONENT, MANAGEMENT_PORT, NAMESPACE, RabbitmqCluster
from constructs_lib.platform.scrape import known_by, pod_monitor, scraped
from constructs_lib.platform.vault_eso import SECRETS_READY, STORE, InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CONTROLLERS = LayerId("messaging", "controllers")
TOPOLOGY_CONTROLLERS = LayerId("messaging", "topology-controllers")
CREDENTIALS = LayerId("messaging", "credentials")
CONFIGS = LayerId("messaging", "configs")
TOPOLOGY = LayerId("messaging", "topology")
COPIES = LayerId("messaging", "copies")
RECOVERY = LayerId("messaging", "recovery")

CLUSTER_OPERATOR_PODS = Deployment(
    OPERATOR_NAMESPACE,
    "cluster-operator",
    {"app.kubernetes.io/name": CLUSTER_OPERATOR.name},
    deployment="rabbitmq-cluster-operator",
)
TOPOLOGY_OPERATOR_PODS = Pods(
    OPERATOR_NAMESPACE, "topology-operator", {"app.kubernetes.io/name": TOPOLOGY_OPERATOR.name}
)
CLUSTER_WEBHOOK = webhook(CLUSTER_OPERATOR_PODS, 9443)
TOPOLOGY_WEBHOOK = webhook(TOPOLOGY_OPERATOR_PODS, 9443)
BROKERS = Pods(NAMESPACE, "brokers", COMPONENT)


def _monitor(env: Environment, cluster: RabbitmqCluster) -> Iterator[Manifest]:
    """Yield one monitor for each broker: each has a name and a certificate of its own."""
    tls = known_by(cluster.certificate, cluster.host)
    yield from pod_monitor(env, f"{cluster.name}-rabbitmq", cluster.pods, "prometheus-tls", tls)


class RabbitmqOperator(Component):
    """RabbitMQ.

    ```yaml
    rabbitmq_operator:
      clusters:
        - name: main
          replicas: 3
    ```
    """

    operators: ClassVar = (
        Operator(
            CLUSTER_OPERATOR.name,
            groups=(group(API),),
            data=("RabbitmqCluster",),
            webhook=CLUSTER_WEBHOOK,
        ),
        Operator(TOPOLOGY_OPERATOR.name, webhook=TOPOLOGY_WEBHOOK),
    )

    enabled: Annotated[bool, Change(FREE, removed=EMPTY_FIRST)] = Field(
        default=True, description="Whether the environment has this component."
    )
    clusters: Annotated[
        tuple[RabbitmqCluster, ...],
        unique("name"),
        Change(rolls("its nodes, one after another"), added=FREE, removed=RETIRE),
    ] = Field(default=(), description="The brokers.")

    @model_validator(mode="after")
    def _names_are_apart(self) -> Self:
        check_apart(item for cluster in self.clusters for item in cluster.objects)
        return self

    def whole(self, applications: Iterable[Application]) -> tuple[RabbitmqCluster, ...]:
        """Return the brokers with what is in them for applications."""
        return tuple(cluster.with_applications(applications) for cluster in self.clusters)

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespaces of the operators, of the brokers and of drills."""
        yield namespace(OPERATOR_NAMESPACE)
        yield namespace(NAMESPACE)
        yield namespace(recovery.drills(NAMESPACE))

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways between operators and brokers, among brokers, and from applications: TLS alone."""
        yield from to_api_server(CLUSTER_OPERATOR_PODS, TOPOLOGY_OPERATOR_PODS, BROKERS)
        yield CLUSTER_WEBHOOK
        yield TOPOLOGY_WEBHOOK
        yield Link(CLUSTER_OPERATOR_PODS, BROKERS, (MANAGEMENT_PORT,))
        yield Link(TOPOLOGY_OPERATOR_PODS, BROKERS, (MANAGEMENT_PORT,))
        # Peer discovery, distribution of Erlang, command-line tools and replicas of streams.
        yield Link(BROKERS, BROKERS, (4369, 25672, (35672, 35682), (6000, 6500)))
        yield from scraped(env, BROKERS, 15691)
        for cluster in self.clusters:
            yield from recovery.links(env, copies.copied(env, cluster), cluster.pods, MANAGEMENT_PORT)
        for app in env.applications.values():
            used = (one for one in self.clusters if one.is_open and one.name in app.reached.rabbitmq)
            yield from (Link(app.pods, one.pods, (5671,)) for one in used)

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of the operators, the brokers and the jobs that copy them."""
        for operator in (CLUSTER_OPERATOR, TOPOLOGY_OPERATOR):
            used = (container["resources"] for container in operator.pods["containers"])
            yield workload(OPERATOR_NAMESPACE, f"Deployment/{operator.name}", ON_SYSTEM_POOL, *used)
        yield from cluster_workloads(env)
        yield from recovery.workloads(env, NAMESPACE)

    def health(self, env: Environment) -> Health:
        """Return what is known about the brokers."""
        return health.of(env, CLUSTER_OPERATOR_PODS, self.clusters)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the operators, the users' credentials, the brokers, then what is declared inside them."""
        timeout = Minutes("10m")
        operator = tuple(install(CLUSTER_OPERATOR, timeout))
        yield Layer(CONTROLLERS, operator, after=(*BASELINE, cert_manager.CONTROLLERS), timeout=timeout)
        yield Layer(
            TOPOLOGY_CONTROLLERS,
            (cert_manager.trusted_ca(OPERATOR_NAMESPACE), *install(TOPOLOGY_OPERATOR, timeout)),
            after=(CONTROLLERS, cert_manager.ISSUERS),
            timeout=timeout,
            ready=cert_manager.CERTIFICATES_READY,
        )
        if not self.clusters:
            return
        clusters = self.whole(env.applications.values())
        credentials = tuple(self._credentials(env, clusters))
        yield Layer(CREDENTIALS, credentials, after=(STORE,), timeout=Minutes("5m"), ready=SECRETS_READY)
        objects = [item for cluster in clusters for item in cluster_objects(env, cluster)]
        objects += [item for cluster in clusters for item in _monitor(env, cluster)]
        ready = (Ready(API, "RabbitmqCluster", is_true("AllReplicasReady")), *cert_manager.CERTIFICATES_READY)
        after = (CONTROLLERS, cert_manager.ISSUERS)
        yield Layer(CONFIGS, tuple(objects), after=after, timeout=Minutes("15m"), ready=ready)
        topology = tuple(item for cluster in clusters for item in topology_objects(cluster))
        after = (CONFIGS, CREDENTIALS, TOPOLOGY_CONTROLLERS)
        ready = tuple(Ready(API, kind, IS_READY) for kind in ("Vhost", "User", "Permission", "Policy"))
        yield Layer(TOPOLOGY, topology, after=after, timeout=Minutes("5m"), ready=ready)
        copied = tuple(copies.copied(env, cluster) for cluster in self.clusters)
        yield recovery.copies_layer(env, COPIES, CREDENTIALS, copies.PROGRAMS, copied)
        yield from recovery.recovery_layer(env, RECOVERY, TOPOLOGY, copied)

    def _credentials(self, env: Environment, clusters: Iterable[RabbitmqCluster]) -> Iterator[Manifest]:
        """Yield each user's credentials with the label without which the operator's webhook refuses the user."""
        yield from recovery.credentials(env, NAMESPACE)
        for cluster in clusters:
            for user in cluster.every_user:
                template = {
                    "metadata": {"labels": {"rabbitmq.com/topology-operator": "true"}},
                    "data": {"username": user.name, "password": "{{ .password }}"},
                }
                entry = InVault(cluster.entry_of(user.name), {"password": "password"}, template)
                yield external_secret(env, cluster.secret_of(user.name), NAMESPACE, entry)

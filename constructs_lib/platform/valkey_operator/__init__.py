"""Valkey: the hyperspike operator and clusters that speak the Redis Cluster protocol.

Upstream: hyperspike/valkey-operator v0.0.61 `api/v1/valkey_types.go`, `internal/controller/`, and its chart as
helmify 0.4.14 makes it from `config/default`. The operator makes its own PodDisruptionBudgets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from constructs_lib.base.change import FREE, Change, rolls
from constructs_lib.base.fields import unique
from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import (
    EMPTY_FIRST,
    RETIRE,
    Chart,
    Deployment,
    Layer,
    LayerId,
    Link,
    Manifest,
    Operator,
    Ready,
    Release,
    Values,
    Workload,
    at,
    cpu_unlimited,
    group,
    namespace,
    resources,
    to_api_server,
    workload,
)
from constructs_lib.platform import cert_manager, recovery
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.component import Component
from constructs_lib.platform.scrape import scraped
from constructs_lib.platform.valkey_operator import admission, copies, health
from constructs_lib.platform.valkey_operator.cluster import API, NAMESPACE, NODES, PORT, ValkeyCluster, cluster_object
from constructs_lib.platform.vault_eso import SECRETS_READY, STORE, InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("oci://ghcr.io/hyperspike", "valkey-operator", "v0.0.61-chart")
CONTROLLERS = LayerId("cache", "controllers")
CREDENTIALS = LayerId("cache", "credentials")
CONFIGS = LayerId("cache", "configs")
COPIES = LayerId("cache", "copies")
RECOVERY = LayerId("cache", "recovery")

OPERATOR_NAMESPACE = "valkey-operator-system"
OPERATOR_PODS = Deployment(
    OPERATOR_NAMESPACE,
    "operator",
    {"control-plane": "controller-manager"},
    deployment="valkey-operator-controller-manager",
)


EXPORTER = resources("50m", "64Mi", "128Mi")
"""What the operator lets the exporter beside each node use (`internal/controller/valkey_controller.go`)."""
READY = (Ready(API, "Valkey", "has(status.ready) && status.ready"),)
"""The operator has reached it with a cluster client (`checkState`)."""


class ValkeyOperator(Component):
    """Valkey.

    ```yaml
    valkey_operator:
      clusters:
        - {name: main, shards: 3, replicas: 1}
    ```
    """

    operators: ClassVar = (
        Operator(CHART.name, groups=(group(API),), data=("Valkey",), budget_label="app.kubernetes.io/instance"),
    )

    enabled: Annotated[bool, Change(FREE, removed=EMPTY_FIRST)] = Field(
        default=True, description="Whether the environment has this component."
    )
    clusters: Annotated[
        tuple[ValkeyCluster, ...], unique("name"), Change(rolls("its nodes"), added=FREE, removed=RETIRE)
    ] = Field(default=(), description="The clusters.")

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespaces of the operator, of the clusters and of drills."""
        yield namespace(OPERATOR_NAMESPACE)
        yield namespace(NAMESPACE)
        yield namespace(recovery.drills(NAMESPACE))

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways between operator and nodes, among nodes, and from applications."""
        yield from to_api_server(OPERATOR_PODS, NODES)
        yield Link(OPERATOR_PODS, NODES, (PORT,))
        yield Link(NODES, NODES, (PORT, 16379))
        yield from scraped(env, NODES, 9121)
        for cluster in self.clusters:
            yield from recovery.links(env, copies.copied(env, cluster), cluster.pods, PORT)
        for app in env.applications.values():
            used = (one for one in self.clusters if one.is_open and one.name in app.reached.valkey)
            yield from (Link(app.pods, one.pods, (PORT,)) for one in used)

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of the operator, of the clusters with their exporters, and of the jobs that copy them."""
        for values in env.rendered.values("valkey-operator"):
            used, pods = at(values, "controllerManager.manager.resources"), at(values, "controllerManager.replicas")
            yield workload(OPERATOR_NAMESPACE, f"Deployment/{OPERATOR_PODS.deployment}", {}, used, pods=pods)
        for name, spec in env.rendered.specs(API, "Valkey"):
            exporter = (EXPORTER,) if spec.get("prometheus") else ()
            pods = spec["nodes"] * (1 + spec["replicas"])
            used = (spec.get("resources"), *exporter)
            yield workload(NAMESPACE, f"StatefulSet/{name}", spec, *used, pods=pods, volumes=1)
        yield from recovery.workloads(env, NAMESPACE)

    def health(self, env: Environment) -> Health:
        """Return what is known about the clusters."""
        return health.of(env, OPERATOR_PODS, self.clusters)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the operator, the passwords, then the clusters."""
        release = Release("valkey-operator", OPERATOR_NAMESPACE, CHART, _values(), stateful=True)
        yield Layer(CONTROLLERS, (release, *admission.policies(self.clusters)), after=BASELINE)
        if not self.clusters:
            return
        secrets = (
            external_secret(env, cluster.secret, NAMESPACE, InVault(cluster.entry, {"password": "password"}))
            for cluster in self.clusters
        )
        secrets = (*recovery.credentials(env, NAMESPACE), *secrets)
        yield Layer(CREDENTIALS, secrets, after=(STORE,), timeout=Minutes("5m"), ready=SECRETS_READY)
        clusters = tuple(cluster.kept(cluster_object(env, cluster)) for cluster in self.clusters)
        after = (CONTROLLERS, CREDENTIALS, cert_manager.ISSUERS)
        yield Layer(CONFIGS, clusters, after=after, timeout=Minutes("15m"), ready=READY)
        copied = tuple(copies.copied(env, cluster) for cluster in self.clusters)
        yield recovery.copies_layer(env, COPIES, CREDENTIALS, copies.PROGRAMS, copied)
        yield from recovery.recovery_layer(env, RECOVERY, CONFIGS, copied)


def _values() -> Values:
    # The chart knows neither node selector nor tolerations, so the operator runs on any other pool; and it runs
    # without leader election: one pod, never two.
    security = {"readOnlyRootFilesystem": True, "seccompProfile": {"type": "RuntimeDefault"}}
    sizes = cpu_unlimited(resources("10m", "64Mi", "256Mi"))
    manager = {"containerSecurityContext": security, "resources": sizes}
    return {"controllerManager": {"replicas": 1, "manager": manager}}

"""CloudNativePG: Postgres clusters with continuous backup to Spaces.

Upstream: cloudnative-pg/cloudnative-pg v1.30.0 `docs/src/`, cloudnative-pg/plugin-barman-cloud v0.13.0
`web/docs/`; values of cloudnative-pg/charts `charts/cloudnative-pg` 0.29.0 and `charts/plugin-barman-cloud` 0.7.0.
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
    HTTPS,
    ON_SYSTEM_POOL,
    RETIRE,
    Chart,
    Deployment,
    Layer,
    LayerId,
    Link,
    Manifest,
    Operator,
    Pods,
    Ready,
    Release,
    Values,
    Workload,
    check_apart,
    group,
    namespace,
    resources,
    spread,
    to_api_server,
    ways_to,
    webhook,
)
from constructs_lib.platform import cert_manager
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.cloudnative_pg import drill, health, workloads
from constructs_lib.platform.cloudnative_pg.cluster import (
    API,
    OPERATOR_NAMESPACE,
    cluster_objects,
)
from constructs_lib.platform.cloudnative_pg.settings import NAMESPACE, OWNER_LABEL, PostgresCluster
from constructs_lib.platform.cloudnative_pg.store import BACKUP_SECRET, OBJECT_STORES, backup_entry
from constructs_lib.platform.component import Component
from constructs_lib.platform.scrape import pod_monitor, scraped
from constructs_lib.platform.vault_eso import SECRETS_READY, STORE, InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

SIGNED_BY = "cloudnative-pg/charts/.github/workflows/release-publish.yml@refs/heads/main"
CHART = Chart("oci://ghcr.io/cloudnative-pg/charts", "cloudnative-pg", "0.29.0", SIGNED_BY)
BARMAN_CHART = Chart("oci://ghcr.io/cloudnative-pg/charts", "plugin-barman-cloud", "0.7.0", SIGNED_BY)
CONTROLLERS = LayerId("databases", "controllers")
CREDENTIALS = LayerId("databases", "credentials")
CONFIGS = LayerId("databases", "configs")
DRILLS = LayerId("databases", "drills")

OPERATOR_PODS = Deployment(
    OPERATOR_NAMESPACE, "operator", {"app.kubernetes.io/name": "cloudnative-pg"}, deployment="cloudnative-pg"
)
WEBHOOK_LINK = webhook(OPERATOR_PODS, 9443)
BARMAN = Pods(OPERATOR_NAMESPACE, "barman-cloud", {"app.kubernetes.io/name": "plugin-barman-cloud"})
RELOADED = {"cnpg.io/reload": "true"}
"""The label of a Secret that instances read anew when it changes."""
_SERVING = "has(status.readyInstances) && status.readyInstances >= 1 && has(status.currentPrimary)"
READY = (
    # It takes connections: the `Ready` condition goes false with every rolling update. Whether its log is archived is
    # not asked (docs/decisions/0021-what-ready-means.md).
    Ready(API, "Cluster", _SERVING),
    Ready(API, "Database", "has(status.applied) && status.applied"),
    # Its Deployment is made (`internal/controller/pooler_status.go`).
    Ready(API, "Pooler", "has(status.phase) && status.phase in ['active', 'paused']"),
)


class CloudnativePg(Component):
    """Postgres.

    ```yaml
    cloudnative_pg:
      clusters:
        - name: main
          instances: 3
          storage: 50Gi
    ```
    """

    operators: ClassVar = (
        Operator(
            CHART.name,
            groups=(group(API),),
            data=("Cluster", "Database"),
            webhook=WEBHOOK_LINK,
            budget_label=OWNER_LABEL,
        ),
        Operator(BARMAN_CHART.name, groups=(group(OBJECT_STORES),), data=("ObjectStore",)),
    )

    enabled: Annotated[bool, Change(FREE, removed=EMPTY_FIRST)] = Field(
        default=True, description="Whether the environment has this component."
    )
    operator_replicas: int = Field(default=1, ge=1, le=5, description="Pods of the operator.")
    clusters: Annotated[
        tuple[PostgresCluster, ...],
        unique("name"),
        Change(rolls("its instances, replicas first"), added=FREE, removed=RETIRE),
    ] = Field(default=(), description="The clusters.")

    @model_validator(mode="after")
    def _names_are_apart(self) -> Self:
        check_apart(item for cluster in self.clusters for item in cluster.objects)
        return self

    def whole(self, applications: Iterable[Application]) -> tuple[PostgresCluster, ...]:
        """Return the clusters with what is in them for applications."""
        return tuple(cluster.with_applications(applications) for cluster in self.clusters)

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespaces of the operators, of the clusters and of the drills."""
        yield namespace(OPERATOR_NAMESPACE)
        yield namespace(NAMESPACE)
        yield namespace(drill.NAMESPACE)

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways between operators, instances and poolers, to the bucket, and from applications."""
        yield from to_api_server(OPERATOR_PODS, BARMAN)
        yield WEBHOOK_LINK
        yield Link(OPERATOR_PODS, BARMAN, (9090,))
        yield from scraped(env, OPERATOR_PODS, 8080)
        yield from drill.links(env, self.clusters)
        for cluster in self.clusters:
            # Instances, poolers and the jobs that create or recover an instance.
            pods = cluster.pods
            yield from to_api_server(pods)
            yield Link(OPERATOR_PODS, pods, (5432, 8000, 9127))
            yield Link(pods, pods, (5432, 8000))
            yield from ways_to(env.backups.inside, HTTPS, pods)
            yield from scraped(env, pods, 9187)
            yield from scraped(env, pods, 9127)
            for app in env.applications.values():
                if cluster.is_open and cluster.name in app.reached.postgres:
                    yield Link(app.pods, pods, (5432,))

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of the operators, of the clusters and of the poolers."""
        return workloads.workloads(env)

    def health(self, env: Environment) -> Health:
        """Return what is known about the clusters."""
        return health.of(env, OPERATOR_PODS, self.clusters)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the operators, the credentials from Vault, then the clusters and their drills."""
        yield Layer(
            CONTROLLERS,
            tuple(self._operators(env)),
            after=(*BASELINE, cert_manager.CONTROLLERS),
            ready=cert_manager.CERTIFICATES_READY,
        )
        if not self.clusters:
            return
        clusters = self.whole(env.applications.values())
        yield Layer(
            CREDENTIALS,
            tuple(self._credentials(env, clusters)),
            after=(STORE, cert_manager.ISSUERS),
            timeout=Minutes("5m"),
            ready=(*SECRETS_READY, *cert_manager.CERTIFICATES_READY),
        )
        objects = [item for cluster in clusters for item in cluster_objects(env, cluster)]
        for cluster in clusters:
            objects += pod_monitor(env, cluster.name, cluster.pods, "metrics")
        yield Layer(CONFIGS, tuple(objects), after=(CONTROLLERS, CREDENTIALS), timeout=Minutes("15m"), ready=READY)
        drills = tuple(drill.objects(env, clusters))
        yield Layer(DRILLS, drills, after=(CREDENTIALS,), timeout=Minutes("5m"), blocks_apps=False)

    def _operators(self, env: Environment) -> Iterator[Release]:
        yield Release("cloudnative-pg", OPERATOR_NAMESPACE, CHART, self._operator_values(env), stateful=True)
        barman: Values = {**ON_SYSTEM_POOL, "crds": {"create": True}, "resources": resources("50m", "128Mi")}
        yield Release("plugin-barman-cloud", OPERATOR_NAMESPACE, BARMAN_CHART, barman, stateful=True)

    def _operator_values(self, env: Environment) -> Values:
        return {
            **ON_SYSTEM_POOL,
            "crds": {"create": True},
            "replicaCount": self.operator_replicas,
            "topologySpreadConstraints": spread(**OPERATOR_PODS.labels),
            "resources": resources("100m", "256Mi"),
            "monitoring": {"podMonitorEnabled": env.platform.observability.has_metrics},
        }

    def _credentials(self, env: Environment, clusters: Iterable[PostgresCluster]) -> Iterator[Manifest]:
        """Yield the bucket's key, certificates and passwords; an operator reads them before its objects come."""
        yield external_secret(env, BACKUP_SECRET, NAMESPACE, backup_entry(env))
        yield drill.credentials(env)
        for cluster in clusters:
            yield cert_manager.certificate(cluster.certificate, NAMESPACE, cluster.services, **RELOADED)
            for role in cluster.roles:
                template = {
                    "type": "kubernetes.io/basic-auth",
                    "metadata": {"labels": RELOADED},
                    "data": {"username": role.name, "password": "{{ .password }}"},
                }
                entry = InVault(cluster.entry_of(role.name), {"password": "password"}, template)
                yield external_secret(env, cluster.secret_of(role.name), NAMESPACE, entry)

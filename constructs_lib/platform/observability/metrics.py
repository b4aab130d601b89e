"""Metrics: Prometheus with Alertmanager and Grafana.

Upstream: prometheus-community/helm-charts kube-prometheus-stack-88.5.3 `charts/kube-prometheus-stack/values.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from constructs_lib.base.change import FREE, VOLUME_STAYS, Change, replaces, rolls
from constructs_lib.base.quantities import Days, Memory, Storage
from constructs_lib.kit import (
    CONFINED,
    DNS,
    FLUX_CONTROLLERS,
    FLUX_OPERATOR,
    HTTPS,
    INTERNET,
    NODES,
    ON_SYSTEM_POOL,
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Chart,
    Link,
    Manifest,
    Operator,
    Pods,
    Ready,
    Release,
    Udp,
    Values,
    Workload,
    at,
    claim,
    is_true,
    resources,
    to_api_server,
    webhook,
    workload,
)
from constructs_lib.platform.observability import grafana
from constructs_lib.platform.observability.alerting import alertmanager_config
from constructs_lib.platform.observability.names import (
    AGENTS,
    ALERTMANAGER,
    ALERTMANAGER_PORT,
    GRAFANA,
    NAMESPACE,
    RELEASE,
)
from constructs_lib.platform.observability.part import Part
from constructs_lib.platform.scrape import MONITORING, PROMETHEUS, PROMETHEUS_PORT
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("oci://ghcr.io/prometheus-community/charts", "kube-prometheus-stack", "88.5.3")

OPERATOR_PODS = Pods(NAMESPACE, "prometheus-operator", {"app": f"{RELEASE}-operator"})
KUBE_STATE_METRICS = Pods(NAMESPACE, "kube-state-metrics", {"app.kubernetes.io/name": "kube-state-metrics"})
WEBHOOK_LINK = webhook(OPERATOR_PODS, 10250)
EVERY_PORT = (1, 65535)

PROMOTED = (
    "collector.instance.id",
    "deployment.environment.name",
    "k8s.deployment.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "service.instance.id",
    "service.name",
    "service.namespace",
)
"""Resource attributes that become labels of every series."""


class Metrics(Part):
    """Prometheus, Alertmanager and Grafana."""

    enabled: Annotated[bool, Change(FREE, removed=replaces("every metric and every alert"))] = True
    replicas: Annotated[int, Change(FREE, smaller=replaces("a copy of the metrics"))] = Field(
        default=1, ge=1, le=3, description="Pods of Prometheus and of Alertmanager."
    )
    retention: Annotated[Days, Change(rolls("Prometheus"), smaller=replaces("metrics that are older"))] = Days("7d")
    storage: Annotated[Storage, VOLUME_STAYS] = Storage("20Gi")
    memory: Memory = Field(default=Memory("1Gi"), description="Memory of each Prometheus, requested and limit.")

    operators: ClassVar = (Operator(CHART.name, webhook=WEBHOOK_LINK),)

    @property
    def is_on(self) -> bool:
        """Whether Prometheus runs, once observability does."""
        return self.enabled

    @property
    def retention_size(self) -> str:
        """What blocks and log may fill of the volume: 80 to 85 % (prometheus/prometheus v3.14 `docs/storage.md`)."""
        return f"{self.storage.mebibytes * 80 // 100}MiB"

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways of the stack, and those of its alerts."""
        yield from _links()
        # An application declares monitors on ports of its own, and of its own pods alone.
        for app in env.applications.values():
            yield Link(PROMETHEUS, app.pods, (EVERY_PORT,))
        yield from env.platform.observability.alerting.links()

    def controllers(self, env: Environment) -> Iterator[Release | Manifest]:
        """Yield the stack, whose custom resources need only the CRDs of the baseline, and Grafana's rights."""
        yield grafana.role()
        yield Release(RELEASE, NAMESPACE, CHART, _values(env, self))

    @property
    def ready(self) -> tuple[Ready, ...]:
        """When its pods serve: without it, Flux counts both as ready before their operator has seen them."""
        return tuple(Ready(MONITORING, kind, is_true("Available")) for kind in ("Alertmanager", "Prometheus"))

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of the stack."""
        for values in env.rendered.values(RELEASE):
            yield from _chart_workloads(values)
            reloader = at(values, "prometheusOperator.prometheusConfigReloader.resources")
            for name in ("prometheus", "alertmanager"):
                spec: Values = at(values, f"{name}.{name}Spec") or {}
                volumes = sum(key in spec for key in ("storageSpec", "storage"))
                used, pods = (spec.get("resources"), reloader), spec.get("replicas")
                yield workload(NAMESPACE, f"StatefulSet/{name}-{RELEASE}", spec, *used, pods=pods, volumes=volumes)

    def credentials(self, env: Environment) -> Iterator[Manifest]:
        """Yield Grafana's administrator, and the credentials of who hears of alerts."""
        keys = {"admin-user": "username", grafana.PASSWORD_KEY: "password"}
        yield external_secret(env, grafana.SECRET, NAMESPACE, InVault("grafana", keys))
        yield from env.platform.observability.alerting.credentials(env)


def replica_hosts(replicas: int) -> list[str]:
    """Return the host name of each Prometheus, as its StatefulSet names them."""
    return [f"prometheus-{RELEASE}-{number}.prometheus-operated.{NAMESPACE}.svc" for number in range(replicas)]


def _links() -> Iterator[Link]:
    yield from to_api_server(OPERATOR_PODS, PROMETHEUS, GRAFANA, KUBE_STATE_METRICS)
    yield WEBHOOK_LINK
    yield Link(PROMETHEUS, ALERTMANAGER, (8080, ALERTMANAGER_PORT))
    yield Link(PROMETHEUS, PROMETHEUS, (8080, PROMETHEUS_PORT))
    yield Link(PROMETHEUS, OPERATOR_PODS, WEBHOOK_LINK.ports)
    yield Link(PROMETHEUS, GRAFANA, (3000,))
    yield Link(PROMETHEUS, KUBE_STATE_METRICS, (8080,))
    # Flux's own policies let anybody in there.
    yield Link(PROMETHEUS, FLUX_OPERATOR, (8080,))
    yield Link(PROMETHEUS, FLUX_CONTROLLERS, (8080,))
    # Node exporters and kubelets answer on addresses of nodes, which no selector names.
    yield Link(PROMETHEUS, NODES, (9100, 10250))
    yield Link(PROMETHEUS, DNS, (9153,))
    yield Link(OPERATOR_PODS, PROMETHEUS, (8080, PROMETHEUS_PORT))
    yield Link(OPERATOR_PODS, ALERTMANAGER, (8080, ALERTMANAGER_PORT))
    yield Link(GRAFANA, PROMETHEUS, (PROMETHEUS_PORT,))
    yield Link(GRAFANA, ALERTMANAGER, (ALERTMANAGER_PORT,))
    yield Link(ALERTMANAGER, ALERTMANAGER, (ALERTMANAGER_PORT, 9094, Udp(9094)))
    yield Link(ALERTMANAGER, INTERNET, HTTPS)


def _chart_workloads(values: Values) -> Iterator[Workload]:
    yield workload(NAMESPACE, f"Deployment/{RELEASE}-operator", at(values, "prometheusOperator"))
    yield workload(NAMESPACE, f"Deployment/{RELEASE}-kube-state-metrics", at(values, "kube-state-metrics"))
    shown: Values = at(values, "grafana") or {}
    sidecar = at(shown, "sidecar.resources")
    yield workload(NAMESPACE, f"Deployment/{RELEASE}-grafana", shown, shown.get("resources"), sidecar, sidecar)
    exporter = "prometheus-node-exporter"
    yield workload(AGENTS, f"DaemonSet/{RELEASE}-{exporter}", at(values, exporter), every_node=True)


def _values(env: Environment, settings: Metrics) -> Values:
    # DigitalOcean hides the control plane: there is nothing to scrape.
    hidden = ("kubeEtcd", "kubeControllerManager", "kubeScheduler", "kubeProxy")
    return {
        "fullnameOverride": RELEASE,
        "cleanPrometheusOperatorObjectNames": True,
        "crds": {"enabled": False},
        **{name: {"enabled": False} for name in hidden},
        # DNS answers in clear text and asks for no token: it shall not get that of Prometheus.
        "coreDns": {"serviceMonitor": {"bearerTokenFile": ""}},
        "prometheusOperator": _operator(),
        "prometheus": _prometheus(env, settings),
        "alertmanager": _alertmanager(env, settings),
        # The project has its own, with a runbook and tests.
        "defaultRules": {"disabled": {"Watchdog": True, "InfoInhibitor": True}},
        "grafana": grafana.values(env),
        "kube-state-metrics": {
            **ON_SYSTEM_POOL,
            # With its series goes its right to list every Secret of the cluster.
            "collectorsExclude": ["secrets"],
            "resources": resources("20m", "128Mi"),
        },
        "prometheus-node-exporter": {
            "namespaceOverride": AGENTS,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "containerSecurityContext": CONFINED,
            "resources": resources("20m", "64Mi"),
        },
    }


def _operator() -> Values:
    return {
        **ON_SYSTEM_POOL,
        "resources": resources("50m", "128Mi", "256Mi"),
        "prometheusConfigReloader": {"resources": resources("10m", "64Mi")},
        "admissionWebhooks": {
            "certManager": {"enabled": True},
            "patch": {"enabled": False},
            # The stack's own rules come before the operator that would check them.
            "failurePolicy": "IgnoreOnInstallOnly",
        },
    }


def _volume(env: Environment, size: str) -> Values:
    return {"volumeClaimTemplate": {"spec": claim(env.cluster.storage_class, size)}}


def _prometheus(env: Environment, settings: Metrics) -> Values:
    every_monitor = ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig")
    spec: Values = {
        "nodeSelector": SYSTEM_NODE_SELECTOR,
        "tolerations": SYSTEM_TOLERATIONS,
        "replicas": settings.replicas,
        "podAntiAffinity": "soft",
        "retention": settings.retention,
        "retentionSize": settings.retention_size,
        "resources": resources("200m", settings.memory),
        "storageSpec": _volume(env, settings.storage),
        "externalLabels": {"cluster": env.cluster.name, "environment": env.name},
        "enableOTLPReceiver": True,
        "otlp": {"promoteResourceAttributes": list(PROMOTED)},
        # What waited in a collector's queue comes late.
        "tsdb": {"outOfOrderTimeWindow": "12h"},
        **{f"{kind}SelectorNilUsesHelmValues": False for kind in every_monitor},
    }
    return {"podDisruptionBudget": {"enabled": settings.replicas > 1}, "prometheusSpec": spec}


def _alertmanager(env: Environment, settings: Metrics) -> Values:
    alerting = env.platform.observability.alerting
    spec = {
        "nodeSelector": SYSTEM_NODE_SELECTOR,
        "tolerations": SYSTEM_TOLERATIONS,
        "replicas": settings.replicas,
        "resources": resources("20m", "64Mi"),
        "storage": _volume(env, "1Gi"),
        "secrets": [receiver.secret for receiver in alerting.receivers],
    }
    budget = {"enabled": settings.replicas > 1}
    return {"podDisruptionBudget": budget, "config": alertmanager_config(alerting), "alertmanagerSpec": spec}

"""OpenTelemetry: a gateway that takes OTLP and sends it on to the backends, and an agent on each node.

Upstream: open-telemetry/opentelemetry-helm-charts opentelemetry-operator-0.122.0 `values.yaml`,
open-telemetry/opentelemetry-operator 0.158.0 `docs/api`, and the collector's components at 0.158.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from constructs_lib.base.quantities import Storage
from constructs_lib.kit import (
    HTTPS,
    INTERNET,
    KEEP_IN_HELM,
    ON_SYSTEM_POOL,
    Chart,
    Link,
    Manifest,
    Operator,
    Outside,
    Pods,
    Release,
    Values,
    Workload,
    at,
    resources,
    to_api_server,
    webhook,
    workload,
)
from constructs_lib.platform.observability.collector_objects import API, IMAGE
from constructs_lib.platform.observability.names import (
    AGENT,
    AGENTS,
    BALANCED_PORT,
    COLLECTOR_METRICS,
    GATEWAY,
    NAMESPACE,
    OTLP_PORTS,
)
from constructs_lib.platform.observability.otlp import outside
from constructs_lib.platform.observability.part import Part
from constructs_lib.platform.scrape import PROMETHEUS, PROMETHEUS_PORT, scraped

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("https://open-telemetry.github.io/opentelemetry-helm-charts", "opentelemetry-operator", "0.122.0")
METADATA = Outside(("169.254.169.254/32",))
"""Where a Droplet learns about itself (docs.digitalocean.com, Droplet metadata)."""
OPERATOR_PODS = Pods(NAMESPACE, "otel-operator", {"app.kubernetes.io/name": "opentelemetry-operator"})
WEBHOOK_LINK = webhook(OPERATOR_PODS, 9443)


class Collectors(Part):
    """What the collectors may use."""

    queue: Storage = Field(
        default=Storage("5Gi"), description="Volume of each gateway for what its backends do not take yet."
    )

    operators: ClassVar = (Operator(CHART.name, groups=("opentelemetry.io",), webhook=WEBHOOK_LINK),)

    @property
    def is_on(self) -> bool:
        """Always: applications need not know which backends there are."""
        return True

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways into the gateway, and what operator, gateway and agent need."""
        yield from to_api_server(OPERATOR_PODS, GATEWAY, AGENT)
        yield WEBHOOK_LINK
        yield Link(AGENT, GATEWAY, OTLP_PORTS)
        if env.cluster.provider == "digitalocean":
            yield Link(AGENT, METADATA, (80,))
        yield Link(GATEWAY, GATEWAY, (BALANCED_PORT,))
        for app in env.applications.values():
            yield Link(app.pods, GATEWAY, OTLP_PORTS)
        yield from scraped(env, GATEWAY, COLLECTOR_METRICS)
        yield from scraped(env, AGENT, COLLECTOR_METRICS)
        settings = env.platform.observability
        if settings.has_metrics:
            yield Link(GATEWAY, PROMETHEUS, (PROMETHEUS_PORT,))
        if outside(env):
            yield Link(GATEWAY, INTERNET, HTTPS)

    def controllers(self, env: Environment) -> Iterator[Release]:
        """Yield the operator."""
        yield Release("opentelemetry-operator", NAMESPACE, CHART, _values())

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of the operator, the gateway and the agents."""
        for values in env.rendered.values("opentelemetry-operator"):
            used = at(values, "manager.resources")
            yield workload(NAMESPACE, "Deployment/opentelemetry-operator", values, used)
        for name, spec in env.rendered.specs(API, "OpenTelemetryCollector"):
            if spec["mode"] == "daemonset":
                yield workload(AGENTS, f"DaemonSet/{name}-collector", spec, every_node=True)
            else:
                volumes, pods = len(spec["volumeClaimTemplates"]), spec.get("replicas")
                yield workload(NAMESPACE, f"StatefulSet/{name}-collector", spec, pods=pods, volumes=volumes)

    def credentials(self, env: Environment) -> Iterator[Manifest]:
        """Yield by what backends outside of the cluster know the gateway."""
        return (item for signal, otlp in outside(env).items() for item in otlp.credentials(env, signal))


def _values() -> Values:
    repository, _, tag = IMAGE.partition(":")
    manager = {
        "collectorImage": {"repository": repository, "tag": tag},
        "resources": resources("50m", "128Mi", "256Mi"),
    }
    webhooks = {"certManager": {"enabled": True}, "autoGenerateCert": {"enabled": False}}
    crds = {"create": True, "annotations": KEEP_IN_HELM}
    return {**ON_SYSTEM_POOL, "crds": crds, "manager": manager, "admissionWebhooks": webhooks}

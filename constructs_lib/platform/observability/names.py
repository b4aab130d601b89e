"""The names by which the parts of observability know each other."""

from __future__ import annotations

from constructs_lib.base.quantities import Memory
from constructs_lib.kit import Deployment, Manifest, Pods, StatefulSet
from constructs_lib.platform.scrape import PROMETHEUS

NAMESPACE = PROMETHEUS.namespace
AGENTS = "observability-agents"

GATEWAY = StatefulSet(
    NAMESPACE, "otel-gateway", {"app.kubernetes.io/name": "gateway-collector"}, statefulset="gateway-collector"
)
GATEWAY_HOST = f"{GATEWAY.statefulset}.{NAMESPACE}.svc"
OTLP_PORTS = (4317, 4318)

AGENT = Pods(AGENTS, "otel-agent", {"app.kubernetes.io/name": "agent-collector"})
ALERTMANAGER = Pods(NAMESPACE, "alertmanager", {"app.kubernetes.io/name": "alertmanager"})
GRAFANA = Deployment(
    NAMESPACE, "grafana", {"app.kubernetes.io/name": "grafana"}, deployment="kube-prometheus-stack-grafana"
)

GATEWAY_HEADLESS = f"{GATEWAY.statefulset}-headless.{NAMESPACE}.svc"
BALANCED_PORT = 4319
"""Where gateways hand traces to each other."""

AGENT_STATE = "/var/lib/otel-agent"
"""Where agents keep what they have read, on the node."""
QUEUE_MOUNT = "/var/lib/otelcol"
TLS_MOUNT = "/tls"
CA_MOUNT = "/ca"
LOGS_CA_MOUNT = "/logs-ca"


def go_memory_limit(memory: Memory) -> Manifest:
    """Return the variable by which a Go program cleans up before its container's limit, not when it is killed there.

    80 % as open-telemetry/opentelemetry-collector 0.158.0 `processor/memorylimiterprocessor/README.md` has it.
    """
    return {"name": "GOMEMLIMIT", "value": f"{memory.mebibytes * 80 // 100}MiB"}

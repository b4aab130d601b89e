"""The names by which the parts of observability know each other."""

from __future__ import annotations

from constructs_lib.base.quantities import Memory
from constructs_lib.kit import Deployment, Manifest, Pods, StatefulSet
from constructs_lib.platform.scrape import PROMETHEUS

NAMESPACE = PROMETHEUS.namespace
AGENTS = "observability-agents"

RELEASE = "kube-prometheus-stack"
"""The chart of Prometheus, Alertmanager and Grafana, and its release, by which the names of their objects begin."""

GATEWAY = StatefulSet(
    NAMESPACE, "otel-gateway", {"app.kubernetes.io/name": "gateway-collector"}, statefulset="gateway-collector"
)
GATEWAY_HOST = f"{GATEWAY.statefulset}.{NAMESPACE}.svc"
OTLP_GRPC, OTLP_HTTP = OTLP_PORTS = (4317, 4318)

AGENT = Pods(AGENTS, "otel-agent", {"app.kubernetes.io/name": "agent-collector"})
ALERTMANAGER = Pods(NAMESPACE, "alertmanager", {"app.kubernetes.io/name": "alertmanager"})
ALERTMANAGER_PORT = 9093
GRAFANA = Deployment(NAMESPACE, "grafana", {"app.kubernetes.io/name": "grafana"}, deployment=f"{RELEASE}-grafana")

GATEWAY_HEADLESS = f"{GATEWAY.statefulset}-headless.{NAMESPACE}.svc"
BALANCED_PORT = 4319
"""Where gateways hand traces to each other."""
COLLECTOR_METRICS = 8888
"""Where a collector shows its own metrics."""

AGENT_STATE = "/var/lib/otel-agent"
"""Where agents keep what they have read, on the node."""
QUEUE_MOUNT = "/var/lib/otelcol"
TLS_MOUNT = "/tls"
CA_MOUNT = "/ca"
LOGS_CA_MOUNT = "/logs-ca"


def otlp_server(port: int) -> Manifest:
    """Return a server of a receiver of OTLP, with TLS: of the collector, and of Tempo, whose receivers are its own."""
    tls = {"cert_file": f"{TLS_MOUNT}/tls.crt", "key_file": f"{TLS_MOUNT}/tls.key", "reload_interval": "1h"}
    return {"endpoint": f"0.0.0.0:{port}", "tls": tls}


def go_memory_limit(memory: Memory) -> Manifest:
    """Return the variable by which a Go program cleans up before its container's limit, not when it is killed there.

    80 % as open-telemetry/opentelemetry-collector 0.158.0 `processor/memorylimiterprocessor/README.md` has it.
    """
    return {"name": "GOMEMLIMIT", "value": f"{memory.mebibytes * 80 // 100}MiB"}

"""What the parts of observability call each other."""

from __future__ import annotations

from constructs_lib.network import Pods

NAMESPACE = "observability"
AGENTS = "observability-agents"

GATEWAY = Pods(NAMESPACE, "otel-gateway", {"app.kubernetes.io/name": "gateway-collector"})
AGENT = Pods(AGENTS, "otel-agent", {"app.kubernetes.io/name": "agent-collector"})

GATEWAY_HOST = f"gateway-collector.{NAMESPACE}.svc"
OTLP_PORTS = (4317, 4318)

TLS_MOUNT = "/tls"
CA_MOUNT = "/ca"
LOGS_CA_MOUNT = "/logs-ca"

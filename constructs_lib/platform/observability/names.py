"""What the parts of observability have in common: their shape, and the names by which they know each other."""

from __future__ import annotations

from dataclasses import dataclass

from constructs_lib.kit import Link, Manifest, Pods, Release
from constructs_lib.platform.observability.telemetry import Backend

NAMESPACE = "observability"
AGENTS = "observability-agents"

GATEWAY = Pods(NAMESPACE, "otel-gateway", {"app.kubernetes.io/name": "gateway-collector"})
AGENT = Pods(AGENTS, "otel-agent", {"app.kubernetes.io/name": "agent-collector"})

FLUX_OPERATOR = Pods("flux-system", "flux-operator", {"app.kubernetes.io/name": "flux-operator"})
FLUX_CONTROLLERS = Pods("flux-system", "flux-controllers", {"app.kubernetes.io/part-of": "flux"})

GATEWAY_SET = "gateway-collector"
GATEWAY_HOST = f"{GATEWAY_SET}.{NAMESPACE}.svc"
OTLP_PORTS = (4317, 4318)

GATEWAY_HEADLESS = f"{GATEWAY_SET}-headless.{NAMESPACE}.svc"
BALANCED_PORT = 4319
"""Where gateways hand traces to each other."""

QUEUE_MOUNT = "/var/lib/otelcol"
TLS_MOUNT = "/tls"
CA_MOUNT = "/ca"
LOGS_CA_MOUNT = "/logs-ca"


@dataclass(frozen=True)
class Part:
    """What one part brings: its links, its operators, its credentials, and what needs these two.

    `backend` is what Prometheus watches of it.
    """

    links: tuple[Link, ...] = ()
    controllers: tuple[Release | Manifest, ...] = ()
    credentials: tuple[Manifest, ...] = ()
    backends: tuple[Release | Manifest, ...] = ()
    backend: Backend | None = None

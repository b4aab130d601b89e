"""What the parts of observability have in common: their shape, and the names by which they know each other."""

from __future__ import annotations

from dataclasses import dataclass

from constructs_lib.component import Manifest, Release
from constructs_lib.network import Link, Pods

NAMESPACE = "observability"
AGENTS = "observability-agents"

GATEWAY = Pods(NAMESPACE, "otel-gateway", {"app.kubernetes.io/name": "gateway-collector"})
AGENT = Pods(AGENTS, "otel-agent", {"app.kubernetes.io/name": "agent-collector"})

GATEWAY_HOST = f"gateway-collector.{NAMESPACE}.svc"
OTLP_PORTS = (4317, 4318)

TLS_MOUNT = "/tls"
CA_MOUNT = "/ca"
LOGS_CA_MOUNT = "/logs-ca"


@dataclass(frozen=True)
class Part:
    """What one part brings: its links, its operators, its credentials, and what needs these two."""

    links: tuple[Link, ...] = ()
    controllers: tuple[Release | Manifest, ...] = ()
    credentials: tuple[Manifest, ...] = ()
    backends: tuple[Release | Manifest, ...] = ()

"""How Prometheus finds and reaches the pods of a component. Without metrics in the environment there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.kit import Link, Manifest, Pods, manifest

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

MONITORING = "monitoring.coreos.com/v1"
"""The API version of the kinds that Prometheus' operator reads."""
PROMETHEUS = Pods("observability", "prometheus", {"app.kubernetes.io/name": "prometheus"})
PROMETHEUS_PORT = 9090


def scraped(env: Environment, pods: Pods, port: int) -> Iterator[Link]:
    """Yield the link by which Prometheus reads the metrics of `pods`."""
    if env.platform.observability.has_metrics:
        yield Link(PROMETHEUS, pods, (port,))


def pod_monitor(
    env: Environment, name: str, pods: Pods, port: str | int, tls: Manifest | None = None
) -> Iterator[Manifest]:
    """Yield the PodMonitor by which Prometheus finds `pods`, whose metrics are on the port with this name or number.

    What speaks TLS there is known by `tls` (`known_by`).
    """
    if env.platform.observability.has_metrics:
        endpoint: Manifest = {"port" if isinstance(port, str) else "portNumber": port}
        if tls is not None:
            endpoint |= {"scheme": "https", "tlsConfig": tls}
        spec = {"selector": {"matchLabels": pods.labels}, "podMetricsEndpoints": [endpoint]}
        yield manifest(MONITORING, "PodMonitor", name, pods.namespace, spec=spec)


def known_by(secret: str, host: str) -> Manifest:
    """Return how Prometheus, which calls by address, knows `host`: by `ca.crt` of a Secret beside the monitor."""
    return {"ca": {"secret": {"name": secret, "key": "ca.crt"}}, "serverName": host}

"""The ingress: what clients get, and how soon.

Upstream: traefik/traefik v3.7 `docs/content/reference/install-configuration/observability/metrics.md`.
"""

from __future__ import annotations

from functools import cache

from constructs_lib.health import Health, Latency, Panel, Query, Ratio, Row, Slo, deployment_down, graph, pod_row, stat
from constructs_lib.kit import Deployment

ENTRY = 'entrypoint="websecure"'
REQUESTS = f"traefik_entrypoint_requests_total{{{ENTRY}}}"
FAILED = f'traefik_entrypoint_requests_total{{{ENTRY},code=~"5.."}}'
DURATION = "traefik_entrypoint_request_duration_seconds"


@cache
def of(ingress: Deployment) -> Health:
    """Return what is known about the ingress. Errors of applications count: its clients see no difference."""
    good = f'rate(traefik_entrypoint_requests_total{{{ENTRY},code!~"5.."}}[5m])'
    availability = Slo(
        name="traefik-availability",
        objective=99.9,
        ratio=Ratio(good=good, total=f"rate({REQUESTS}[5m])"),
        runbook="traefik-availability",
    )
    # Web sockets and event streams last as long as their clients like; 1.2 s is a default bucket of Traefik.
    selector = f'{ENTRY},protocol="http"'
    latency = Slo(
        name="traefik-latency",
        objective=99.0,
        latency=Latency(histogram=DURATION, selector=selector, threshold_seconds=1.2),
        runbook="traefik-latency",
    )
    down = deployment_down("TraefikDown", ingress, "traefik-availability", "The ingress")
    return Health("traefik", "Traefik", (availability, latency), (down,), _now(), _rows(ingress.namespace))


def _now() -> tuple[Panel, ...]:
    rate = f"sum(rate({REQUESTS}[$__rate_interval]))"
    failed = f"sum(rate({FAILED}[$__rate_interval]))"
    return (
        stat("Requests", rate, "reqps"),
        stat("Failed", f"({failed} or vector(0)) / ({rate} > 0)", "percentunit", steps=((0, "green"), (0.001, "red"))),
        stat("Open connections", "sum(traefik_open_connections)"),
        stat("Certificate expires", "min(traefik_tls_certs_not_after) - time()", "s"),
    )


def _rows(namespace: str) -> tuple[Row, ...]:
    # The name of the Kubernetes Service that is scraped has taken the label's own name.
    by_service = "sum by (exported_service) (rate(traefik_service_requests_total[$__rate_interval]))"
    by_code = f"sum by (code) (rate({REQUESTS}[$__rate_interval]))"
    details = (
        graph("Requests by code", by_code, "{{code}}", "reqps"),
        graph("Requests by service", by_service, "{{exported_service}}", "reqps"),
        Panel("Latency", tuple(_quantile(value) for value in (0.5, 0.9, 0.99)), unit="s"),
    )
    return (Row("Requests", details), pod_row(namespace))


def _quantile(value: float) -> Query:
    buckets = f"sum by (le) (rate({DURATION}_bucket{{{ENTRY}}}[$__rate_interval]))"
    return Query(f"histogram_quantile({value}, {buckets})", f"{value:.0%}")

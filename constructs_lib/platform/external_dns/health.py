"""DNS records: they are brought in step all the time.

Upstream: kubernetes-sigs/external-dns v0.20.0 `docs/monitoring/metrics.md`.
"""

from __future__ import annotations

from functools import cache

from constructs_lib.health import Health, Panel, Row, Slo, deployment_down, graph, pod_row, stat, while_true
from constructs_lib.kit import Deployment

LAST_SYNC = "max(external_dns_controller_last_sync_timestamp_seconds)"


@cache
def of(controller: Deployment) -> Health:
    """Return what is known about DNS records: a last sync ten minutes ago counts as bad."""
    indicator = while_true(f"time() - {LAST_SYNC} < bool 600")
    slo = Slo(name="dns-sync", objective=99.0, ratio=indicator, runbook="dns-sync")
    down = deployment_down("ExternalDnsDown", controller, "dns-sync", "ExternalDNS")
    return Health("external-dns", "ExternalDNS", (slo,), (down,), _now(), _rows(controller.namespace))


def _now() -> tuple[Panel, ...]:
    return (
        stat("Since the last sync", f"time() - {LAST_SYNC}", "s", steps=((0, "green"), (600, "red"))),
        stat("Names wanted", "sum(external_dns_source_endpoints_total)"),
        stat("Names in the zone", "sum(external_dns_registry_endpoints_total)"),
    )


def _rows(namespace: str) -> tuple[Row, ...]:
    errors = "rate(external_dns_{}_errors_total[$__rate_interval])"
    details = (
        graph("Errors of the zone", f"sum({errors.format('registry')})", "errors", width=12),
        graph("Errors of the cluster", f"sum({errors.format('source')})", "errors", width=12),
    )
    return (Row("Errors", details), pod_row(namespace))

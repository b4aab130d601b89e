"""Certificates: each is renewed in time.

Upstream: cert-manager v1.21.1 `pkg/metrics/certificates.go`.
"""

from __future__ import annotations

from functools import cache

from constructs_lib.base.quantities import Days
from constructs_lib.health import (
    NONE_IS_GOOD,
    Alert,
    Health,
    Panel,
    Ratio,
    Row,
    Slo,
    deployment_down,
    graph,
    pod_row,
    stat,
    table,
)
from constructs_lib.kit import Deployment

EXPIRY = "certmanager_certificate_expiration_timestamp_seconds"
RENEWAL = "certmanager_certificate_renewal_timestamp_seconds"
READY = "certmanager_certificate_ready_status"
NAME = "{{ $labels.exported_namespace }}/{{ $labels.name }}"
DAY = Days("1d").seconds


@cache
def of(controller: Deployment) -> Health:
    """Return what is known about certificates: a day after its renewal is due, one counts as bad."""
    ratio = Ratio(good=f"count(time() - ({RENEWAL} > 0) < {DAY})", total=f"count({RENEWAL} > 0)")
    slo = Slo(name="certificate-expiry", objective=99.5, ratio=ratio, runbook="certificate-expiry")
    alerts = (
        Alert(
            name="CertificateExpiresSoon",
            expr=f"({EXPIRY} > 0) - time() < {3 * DAY}",
            severity="critical",
            hold="15m",
            summary=f"Certificate {NAME} expires in {{{{ $value | humanizeDuration }}}}.",
            runbook="certificate-expiry",
        ),
        Alert(
            name="CertificateNotReady",
            expr=f'{READY}{{condition="False"}} == 1',
            hold="1h",
            summary=f"Certificate {NAME} has not been issued for an hour.",
            runbook="certificate-expiry",
        ),
        deployment_down("CertManagerDown", controller, "certificate-expiry", "cert-manager"),
    )
    return Health("certificates", "Certificates", (slo,), alerts, _now(), _rows(controller.namespace))


def _now() -> tuple[Panel, ...]:
    return (
        stat("Certificates", f'count({READY}{{condition="True"}} == 1)'),
        stat("Not ready", f'count({READY}{{condition="True"}} == 0) or vector(0)', steps=NONE_IS_GOOD),
        stat("Next expiry", f"min({EXPIRY} > 0) - time()", "s", steps=((0, "red"), (7 * DAY, "green"))),
    )


def _rows(namespace: str) -> tuple[Row, ...]:
    details = (
        table("Time left", f"sort(({EXPIRY} > 0) - time())", "s"),
        graph(
            "Requests to certificate authorities",
            "sum by (status) (rate(certmanager_acme_client_request_count[$__rate_interval]))",
            "{{status}}",
            "reqps",
            width=12,
        ),
    )
    return (Row("Certificates", details), pod_row(namespace))

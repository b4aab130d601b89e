"""Secrets from Vault: each is in step.

Upstream: external-secrets helm-chart-2.9.0 `docs/api/metrics.md`.
"""

from __future__ import annotations

from functools import cache

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

SECRET = "externalsecret_status_condition"  # noqa: S105 - a metric
STORE = "clustersecretstore_status_condition"
READY, NOT_READY = 'condition="Ready",status="True"', 'condition="Ready",status="False"'


@cache
def of(controller: Deployment) -> Health:
    """Return what is known about External Secrets: the share of secrets that are in step with Vault."""
    ratio = Ratio(good=f"sum({SECRET}{{{READY}}})", total=f'sum({SECRET}{{condition="Ready"}})')
    slo = Slo(name="secrets-sync", objective=99.5, ratio=ratio, runbook="secrets-sync")
    alerts = (
        Alert(
            name="ExternalSecretNotReady",
            expr=f"{SECRET}{{{NOT_READY}}} == 1",
            hold="15m",
            summary="ExternalSecret {{ $labels.exported_namespace }}/{{ $labels.name }} is not in step with Vault.",
            runbook="secrets-sync",
        ),
        Alert(
            name="SecretStoreNotReady",
            expr=f"{STORE}{{{NOT_READY}}} == 1",
            severity="critical",
            hold="10m",
            summary="The store {{ $labels.name }} cannot reach Vault: no secret is brought in or renewed.",
            runbook="secrets-sync",
        ),
        deployment_down("ExternalSecretsDown", controller, "secrets-sync", "External Secrets"),
    )
    return Health("secrets", "Secrets", (slo,), alerts, _now(), _rows(controller.namespace))


def _now() -> tuple[Panel, ...]:
    return (
        stat("In step", f"sum({SECRET}{{{READY}}})"),
        stat("Not in step", f"sum({SECRET}{{{NOT_READY}}}) or vector(0)", steps=NONE_IS_GOOD),
        stat("Stores that answer", f"sum({STORE}{{{READY}}})"),
    )


def _rows(namespace: str) -> tuple[Row, ...]:
    calls = "rate(externalsecret_provider_api_calls_count[$__rate_interval])"
    details = (
        table("Not in step", f"{SECRET}{{{NOT_READY}}} == 1", width=8),
        graph("Calls to Vault", f"sum by (call, status) ({calls})", "{{call}} {{status}}", "reqps"),
        graph(
            "Failed syncs",
            "sum by (exported_namespace, name) (increase(externalsecret_sync_calls_error[$__rate_interval]))",
            "{{exported_namespace}}/{{name}}",
        ),
    )
    return (Row("Secrets", details), pod_row(namespace))

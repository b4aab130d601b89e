"""Flux: what is in Git is in the cluster.

Upstream: controlplaneio-fluxcd/flux-operator v0.58.1 `docs/guides/instance/instance-monitoring.md`; metrics of the
controllers from fluxcd/flux2 v2.9 `manifests/monitoring`.
"""

from __future__ import annotations

from functools import cache

from constructs_lib.health import NONE_IS_GOOD, Alert, Health, Panel, Ratio, Row, Slo, graph, pod_row, stat, table
from constructs_lib.kit import FLUX_NAMESPACE

APPLIED = 'kind=~"Kustomization|HelmRelease"'
ACTIVE = f'{APPLIED},suspended="False"'
OBJECT = "{{ $labels.kind }} {{ $labels.exported_namespace }}/{{ $labels.name }}"


@cache
def of() -> Health:
    """Return what is known about reconciliation; what is in progress is not bad yet."""
    ratio = Ratio(
        good=f'count(flux_resource_info{{{ACTIVE},ready!="False"}})', total=f"count(flux_resource_info{{{ACTIVE}}})"
    )
    slo = Slo(name="flux-reconciliation", objective=99.0, ratio=ratio, runbook="flux-reconciliation")
    return Health("flux", "Flux", (slo,), _alerts(), _now(), _rows())


def _alerts() -> tuple[Alert, ...]:
    runbook = "flux-reconciliation"
    return (
        Alert(
            name="FluxDown",
            expr='absent(flux_instance_info{ready="True"})',
            severity="critical",
            hold="15m",
            summary="Flux is not ready, or nobody hears of it: what is in Git does not reach the cluster.",
            runbook=runbook,
        ),
        Alert(
            name="FluxResourceNotReady",
            expr=f'flux_resource_info{{{ACTIVE},ready="False"}} == 1',
            hold="20m",
            summary=f"{OBJECT} has failed for 20 minutes ({{{{ $labels.reason }}}}).",
            runbook=runbook,
        ),
        Alert(
            name="FluxResourceSuspended",
            expr='flux_resource_info{suspended="True"} == 1',
            hold="1d",
            summary=f"{OBJECT} has been suspended for a day.",
            runbook=runbook,
        ),
    )


def _now() -> tuple[Panel, ...]:
    failed = f'flux_resource_info{{{ACTIVE},ready="False"}}'
    return (
        stat("Ready", f'count(flux_resource_info{{{ACTIVE},ready="True"}})'),
        stat("Failed", f"count({failed}) or vector(0)", steps=NONE_IS_GOOD),
        stat(
            "Suspended", 'count(flux_resource_info{suspended="True"}) or vector(0)', steps=((0, "green"), (1, "orange"))
        ),
    )


def _rows() -> tuple[Row, ...]:
    failed = f'flux_resource_info{{{ACTIVE},ready="False"}}'
    buckets = "sum by (le, kind) (rate(gotk_reconcile_duration_seconds_bucket[$__rate_interval]))"
    details = (
        table("Failed", failed),
        graph("Duration, 99 %", f"histogram_quantile(0.99, {buckets})", "{{kind}}", "s", width=12),
    )
    revisions = table("Sources", 'flux_resource_info{kind=~"GitRepository|OCIRepository|HelmRepository"}', width=24)
    return (Row("Reconciliation", (*details, revisions)), pod_row(FLUX_NAMESPACE))

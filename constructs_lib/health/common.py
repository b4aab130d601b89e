"""What several services watch in the same way."""

from __future__ import annotations

from constructs_lib.health.alert import Alert
from constructs_lib.health.dashboard import Panel, Query, Row, graph
from constructs_lib.health.slo import Ratio, Slo

ALWAYS = "vector(1)"
"""The total of an indicator that is measured all the time: no data counts as bad."""


def while_true(condition: str) -> Ratio:
    """Return the indicator of a condition (a comparison with `bool`): the share of time for which it holds."""
    return Ratio(good=condition, total=ALWAYS)


def deployment_down(name: str, namespace: str, deployment: str, runbook: str, what: str) -> Alert:
    """Return the alert that a deployment has no pod at all."""
    labels = f'namespace="{namespace}",deployment="{deployment}"'
    return Alert(
        name=name,
        expr=f"kube_deployment_status_replicas_available{{{labels}}} == 0",
        severity="critical",
        summary=f"{what} has no ready pod.",
        runbook=runbook,
    )


def pods(namespace: str) -> Row:
    """Return the row on what the pods of a namespace use, and how often they start again."""
    selector = f'namespace="{namespace}",container!=""'
    limit = f'sum by (pod) (kube_pod_container_resource_limits{{namespace="{namespace}",resource="memory"}})'
    used = f"sum by (pod) (container_memory_working_set_bytes{{{selector}}})"
    return Row(
        "Pods",
        (
            graph(
                "CPU",
                f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{selector}}}[$__rate_interval]))",
                "{{pod}}",
            ),
            Panel("Memory of the limit", (Query(f"{used} / {limit}", "{{pod}}"),), unit="percentunit"),
            graph(
                "Restarts",
                f'increase(kube_pod_container_status_restarts_total{{namespace="{namespace}"}}[1h])',
                "{{pod}}/{{container}}",
            ),
        ),
    )


def volumes(namespace: str) -> Panel:
    """Return the panel on how full the volumes of a namespace are."""
    used, capacity = (f'kubelet_volume_stats_{what}_bytes{{namespace="{namespace}"}}' for what in ("used", "capacity"))
    return graph("Volumes in use", f"{used} / {capacity}", "{{persistentvolumeclaim}}", "percentunit")


def operator_availability(name: str, service: str, namespace: str, deployment: str) -> Slo:
    """Return the objective that an operator runs: what it made serves without it, but nothing is mended or changed."""
    labels = f'namespace="{namespace}",deployment="{deployment}"'
    available = f"max(kube_deployment_status_replicas_available{{{labels}}}) >= bool 1"
    return Slo(name=name, service=service, objective=99.0, ratio=while_true(available), runbook="operators")

"""What concerns the whole environment: one overview, the error budgets, and what applications do."""

from __future__ import annotations

from collections.abc import Iterable

from constructs_lib.health import (
    NONE_IS_GOOD,
    Dashboard,
    Health,
    Panel,
    Query,
    Row,
    Variable,
    budget_left,
    graph,
    stat,
    table,
)
from constructs_lib.platform.observability.telemetry import WATCHDOG

FIRING = f'ALERTS{{alertstate="firing",alertname!="{WATCHDOG.name}"}}'


def overview(known: Iterable[Health]) -> Dashboard:
    """Return the first page: budgets, alerts, nodes, and what matters most of each service that is on."""
    cpu = '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))'
    memory = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
    nodes = (
        stat("Nodes", "count(kube_node_info)"),
        stat("Not ready", 'sum(kube_node_status_condition{condition="Ready",status!="true"})', steps=NONE_IS_GOOD),
        graph("CPU of nodes", cpu, "{{instance}}", "percentunit"),
        graph("Memory of nodes", memory, "{{instance}}", "percentunit"),
    )
    health = Row("Health", (budget_left(), table("Firing alerts", FIRING, width=24, height=6)))
    services = (Row(item.title, item.now) for item in known)
    return Dashboard("overview", "Overview", (health, *services, Row("Nodes", nodes)))


def budgets() -> Dashboard:
    """Return the page on error budgets."""
    chosen = '{slo=~"$slo"}'
    left = Query(f"slo:error_budget:remaining{chosen}", "{{slo}}")
    now = (
        budget_left(chosen),
        table("Objectives", f"slo:objective:ratio{chosen}", "percentunit"),
        table("Bad in the window", f"slo:bad:ratio_window{chosen}", "percentunit"),
    )
    burn = f"slo:bad:ratio_1h{chosen} / on (slo) group_left () (1 - slo:objective:ratio{chosen})"
    over_time = (
        Panel("Left", (left,), unit="percentunit", width=24),
        graph("Burn rate of the last hour (1 spends all of it)", burn, "{{slo}}", width=24),
        graph("Bad of the last five minutes", f"slo:bad:ratio_5m{chosen}", "{{slo}}", "percentunit", width=24),
    )
    rows = (Row("Now", now), Row("Over time", over_time))
    return Dashboard(
        "error-budgets", "Error budgets", rows, (Variable("slo", "label_values(slo:objective:ratio, slo)"),)
    )


def applications() -> Dashboard:
    """Return the page on applications, from the spans that they send (connectors spanmetrics and servicegraph)."""
    chosen = 'service_name=~"$service",span_kind="SPAN_KIND_SERVER"'
    calls = f"sum by (service_name) (rate(traces_span_metrics_calls_total{{{chosen}}}[$__rate_interval]))"
    bad = f'{chosen},status_code="STATUS_CODE_ERROR"'
    failed = f"sum by (service_name) (rate(traces_span_metrics_calls_total{{{bad}}}[$__rate_interval]))"
    buckets = f"traces_span_metrics_duration_seconds_bucket{{{chosen}}}"
    quantile = f"histogram_quantile(0.95, sum by (le, service_name) (rate({buckets}[$__rate_interval])))"
    edges = "sum by (client, server) (rate(traces_service_graph_request_{}total[$__rate_interval]))"
    rows = (
        Row(
            "Requests",
            (
                graph("Rate", calls, "{{service_name}}", "reqps"),
                graph("Failed", f"{failed} / {calls}", "{{service_name}}", "percentunit"),
                graph("Latency, 95 %", quantile, "{{service_name}}", "s"),
            ),
        ),
        Row(
            "Service graph",
            (
                graph("Calls", edges.format(""), "{{client}} to {{server}}", "reqps", width=12),
                graph("Failed calls", edges.format("failed_"), "{{client}} to {{server}}", "reqps", width=12),
            ),
        ),
    )
    services = Variable("service", "label_values(traces_span_metrics_calls_total, service_name)")
    return Dashboard("applications", "Applications", rows, (services,))

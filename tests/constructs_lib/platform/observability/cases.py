"""What collectors, Prometheus and backends show when an objective or an alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.series import Case, Counter, always, critical, deployment, gauge, objective, warning

EXPORTER = 'exporter="otlp_http/prometheus-0"'
QUEUE = f'{EXPORTER},pod="gateway-collector-0"'
SIGNALS = ("spans", "metric_points", "log_records")
READY = 'kube_statefulset_status_replicas_ready{{namespace="{}",statefulset="{}"}}'


def ready(name: str, good: float, bad: float) -> Case:
    """Return so many ready pods of a StatefulSet; those of another namespace mean nothing."""
    return {READY.format("observability", name): gauge(good, bad), READY.format("elsewhere", name): gauge(0, 9)}


def lost(how: str, signal: str) -> Case:
    """Return a signal that arrives, or is lost."""
    return {
        f"otelcol_exporter_sent_{signal}{{{EXPORTER}}}": Counter(600, 0),
        f"otelcol_exporter_{how}_failed_{signal}{{{EXPORTER}}}": Counter(0, 600),
    }


LOST = [lost(how, signal) for how in ("send", "enqueue") for signal in SIGNALS]

SLOS = {
    "telemetry-delivery": objective(99.9, *LOST),
    "rule-evaluation": objective(
        99.9,
        {
            'prometheus_rule_evaluations_total{rule_group="a"}': Counter(600, 600),
            'prometheus_rule_evaluation_failures_total{rule_group="a"}': Counter(0, 600),
        },
    ),
    "alert-delivery": objective(
        99.0,
        {
            'alertmanager_notifications_total{integration="slack"}': Counter(6, 6),
            'alertmanager_notifications_failed_total{integration="slack",reason="other"}': Counter(0, 6),
        },
    ),
    "traces-availability": objective(99.0, ready("tempo", 1, 0)),
    "logs-availability": objective(99.0, ready("logs-nodes", 2, 1)),
    "influxdb-availability": objective(99.0, ready("influxdb2", 1, 0)),
}
ADDITIONAL = {
    "episodic-availability": objective(
        99.5,
        {
            'http_requests_total{app="episodic",code="200"}': Counter(600, 0),
            'http_requests_total{app="episodic",code="500"}': Counter(0, 600),
        },
    ),
}
"""The objective of an application that a file adds (tests/support.py)."""

ALERTS = {
    "CollectorQueueFills": warning(
        "15m",
        {
            f"otelcol_exporter_queue_size{{{QUEUE}}}": gauge(50, 51),
            f"otelcol_exporter_queue_capacity{{{QUEUE}}}": always(100),
        },
    ),
    "CollectorLosesData": critical("10m", *LOST),
    "CollectorGatewayDown": critical("5m", {READY.format("observability", "gateway-collector"): gauge(1, 0)}),
    "GrafanaDown": critical("5m", deployment("observability", "kube-prometheus-stack-grafana")),
}

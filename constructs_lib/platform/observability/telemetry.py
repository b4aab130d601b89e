"""Telemetry itself: nothing is lost on its way, rules are evaluated, alerts arrive.

Upstream: metrics of the collector 0.158.0 as a run of it exposes them; prometheus/prometheus v3.14 and
prometheus/alertmanager v0.34 as their `/metrics` name them; kube-state-metrics for pods of the backends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import starmap

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
    ready_pods,
    stat,
    volume_panel,
    while_true,
)
from constructs_lib.kit import Deployment, StatefulSet

SIGNALS = ("spans", "metric_points", "log_records")
WATCHDOG = Alert(
    name="Watchdog",
    expr="vector(1)",
    hold="0s",
    severity="none",
    summary="Always fires: when its messages stop, nobody hears of anything else either.",
    runbook="watchdog",
)


def of(gateway: StatefulSet, grafana: Deployment, backends: Mapping[str, StatefulSet]) -> Health:
    """Return what is known about collectors, Prometheus, Grafana and the other backends, which go by their names."""
    slos = (*_slos(), *starmap(_availability, backends.items()))
    alerts = (WATCHDOG, *_alerts(gateway, grafana))
    rows = tuple(_rows(gateway.namespace, backends))
    return Health("telemetry", "Telemetry", slos, alerts, _now(), rows)


def _total(metric: str) -> str:
    """Return the rate of a counter over all signals; one that never counted has no series."""
    return " + ".join(f"(sum(rate({metric.format(signal)}[5m])) or vector(0))" for signal in SIGNALS)


SENT = _total("otelcol_exporter_sent_{}")
LOST = f"{_total('otelcol_exporter_send_failed_{}')} + {_total('otelcol_exporter_enqueue_failed_{}')}"
RULES, RULE_FAILURES = "prometheus_rule_evaluations_total", "prometheus_rule_evaluation_failures_total"
NOTIFICATIONS, FAILED_NOTIFICATIONS = "alertmanager_notifications_total", "alertmanager_notifications_failed_total"


def _less(total: str, failed: str) -> Ratio:
    all_, bad = (f"sum(rate({name}[5m]))" for name in (total, failed))
    return Ratio(good=f"{all_} - ({bad} or vector(0))", total=all_)


def _slos() -> Iterator[Slo]:
    loss = Ratio(good=SENT, total=f"{SENT} + {LOST}")
    yield Slo(name="telemetry-delivery", objective=99.9, ratio=loss, runbook="telemetry-delivery")
    rules = _less(RULES, RULE_FAILURES)
    yield Slo(name="rule-evaluation", objective=99.9, ratio=rules, runbook="rule-evaluation")
    alerts = _less(NOTIFICATIONS, FAILED_NOTIFICATIONS)
    yield Slo(name="alert-delivery", objective=99.0, ratio=alerts, runbook="alert-delivery")


def _availability(name: str, backend: StatefulSet) -> Slo:
    serves = while_true(f"max({ready_pods(backend)}) >= bool {backend.needed}")
    return Slo(name=f"{name}-availability", objective=99.0, ratio=serves, runbook="telemetry-backends")


def _alerts(gateway: StatefulSet, grafana: Deployment) -> Iterator[Alert]:
    full = "otelcol_exporter_queue_size / otelcol_exporter_queue_capacity"
    yield Alert(
        name="CollectorQueueFills",
        expr=f"max by (pod, exporter) ({full}) > 0.5",
        hold="15m",
        summary="The queue of {{ $labels.exporter }} in {{ $labels.pod }} is {{ $value | humanizePercentage }} full: "
        "its backend does not take what comes.",
        runbook="telemetry-delivery",
    )
    yield Alert(
        name="CollectorLosesData",
        expr=f"{LOST} > 0",
        severity="critical",
        hold="10m",
        summary="{{ $value | humanize }} spans, points or records a second are lost for good.",
        runbook="telemetry-delivery",
    )
    yield Alert(
        name="CollectorGatewayDown",
        expr=f"{ready_pods(gateway)} == 0",
        severity="critical",
        summary="The telemetry gateway has no ready pod: applications cannot send.",
        runbook="telemetry-delivery",
    )
    yield deployment_down("GrafanaDown", grafana, "telemetry-backends", "Grafana")


def _now() -> tuple[Panel, ...]:
    failing = f"sum(rate({FAILED_NOTIFICATIONS}[$__rate_interval]))"
    return (
        stat("Taken in", _total("otelcol_receiver_accepted_{}"), "cps"),
        stat("Lost", LOST, "cps", steps=((0, "green"), (0.001, "red"))),
        stat("Targets down", "count(up == 0) or vector(0)", steps=NONE_IS_GOOD),
        stat("Failed notifications", failing, "cps", steps=((0, "green"), (0.001, "red"))),
    )


def _rows(namespace: str, backends: Mapping[str, StatefulSet]) -> Iterator[Row]:
    queue = "max by (pod, exporter) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"
    sent = (
        graph(
            f"Sent {signal.replace('_', ' ')}",
            f"sum by (exporter) (rate(otelcol_exporter_sent_{signal}[$__rate_interval]))",
            "{{exporter}}",
            "cps",
        )
        for signal in SIGNALS
    )
    yield Row("Collectors", (*sent, graph("Queues", queue, "{{pod}} {{exporter}}", "percentunit", width=24)))
    yield Row(
        "Prometheus",
        (
            graph("Series", "prometheus_tsdb_head_series", "{{pod}}"),
            graph("Samples", "rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval])", "{{pod}}", "cps"),
            volume_panel(namespace),
        ),
    )
    if backends:
        ready = (graph(f"Ready pods of {name}", f"max({ready_pods(backend)})") for name, backend in backends.items())
        yield Row("Backends", tuple(ready))
    yield pod_row(namespace)

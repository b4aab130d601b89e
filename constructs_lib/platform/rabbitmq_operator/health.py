"""RabbitMQ: a majority of each broker's nodes is there and sees the others.

Upstream: rabbitmq/rabbitmq-server v4.2 `deps/rabbitmq_prometheus/metrics.md` (GET /metrics: aggregated by node).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.health import (
    NONE_IS_GOOD,
    POD,
    Alert,
    Health,
    Panel,
    Row,
    Selection,
    Slo,
    graph,
    operator_availability,
    pod_row,
    stat,
    volume_panel,
    while_true,
)
from constructs_lib.kit import Deployment
from constructs_lib.platform.rabbitmq_operator.copies import copied
from constructs_lib.platform.rabbitmq_operator.settings import NAMESPACE, RabbitmqCluster
from constructs_lib.platform.recovery import copy_slo, drill_alerts, drill_panel, drill_stat, drills

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

UNREACHABLE = "rabbitmq_unreachable_cluster_peers_count"
WATCHED = Selection(NAMESPACE, "rabbitmq_identity_info")
ALL, CHOSEN = WATCHED.all, WATCHED.chosen


def of(env: Environment, operator: Deployment, clusters: tuple[RabbitmqCluster, ...]) -> Health:
    """Return what is known about the brokers."""
    slos = (
        operator_availability("rabbitmq-operator", operator),
        *(slo for cluster in clusters for slo in _slos(cluster)),
        *(copy_slo(copied(env, cluster)) for cluster in clusters),
    )
    drills = (alert for cluster in clusters for alert in _drill_alerts(env, cluster))
    return Health("rabbitmq", "RabbitMQ", slos, (*_alerts(), *drills), _now(), _rows(), (WATCHED.choice,))


def _drill_alerts(env: Environment, cluster: RabbitmqCluster) -> Iterator[Alert]:
    pace = cluster.recovery.pace(env)
    return drill_alerts("RabbitMQ", drills(NAMESPACE), cluster.name, cluster.recovery, pace)


def _slos(cluster: RabbitmqCluster) -> Iterator[Slo]:
    nodes = f'{ALL},pod=~"{cluster.name}-server-[0-9]+"'
    majority = cluster.replicas // 2 + 1
    yield Slo(
        name=f"rabbitmq-{cluster.name}-availability",
        objective=99.9,
        ratio=while_true(f"count(rabbitmq_identity_info{{{nodes}}}) >= bool {majority}"),
        runbook="rabbitmq-availability",
    )
    if cluster.replicas > 1:
        present = f"count(rabbitmq_identity_info{{{nodes}}}) == bool {cluster.replicas}"
        connected = f"max({UNREACHABLE}{{{nodes}}}) == bool 0"
        yield Slo(
            name=f"rabbitmq-{cluster.name}-quorum",
            objective=99.0,
            ratio=while_true(f"({present}) * ({connected})"),
            runbook="rabbitmq-quorum",
        )


def _alerts() -> tuple[Alert, ...]:
    ready = f"sum by (pod) (rabbitmq_queue_messages_ready{{{ALL}}})"
    return (
        Alert(
            name="RabbitmqMemoryAlarm",
            expr=f"rabbitmq_alarms_memory_used_watermark{{{ALL}}} == 1",
            severity="critical",
            hold="2m",
            summary=f"{POD} is out of memory: the broker blocks all publishers.",
            runbook="rabbitmq-alarms",
        ),
        Alert(
            name="RabbitmqDiskAlarm",
            expr=f"rabbitmq_alarms_free_disk_space_watermark{{{ALL}}} == 1",
            severity="critical",
            hold="2m",
            summary=f"{POD} is out of disk: the broker blocks all publishers.",
            runbook="rabbitmq-alarms",
        ),
        Alert(
            name="RabbitmqQueuesGrow",
            expr=f"{ready} > 1000 and on (pod) deriv(rabbitmq_queue_messages_ready{{{ALL}}}[30m]) > 0",
            hold="1h",
            summary=f"Messages pile up on {POD}: {{{{ $value }}}} wait, and more come than go.",
            runbook="rabbitmq-queues",
        ),
    )


def _now() -> tuple[Panel, ...]:
    alarms = "memory_used", "free_disk_space"
    raised = " + ".join(f"sum(rabbitmq_alarms_{name}_watermark{{{ALL}}})" for name in alarms)
    return (
        stat("Nodes", f"count(rabbitmq_identity_info{{{ALL}}})"),
        stat("Alarms", raised, steps=NONE_IS_GOOD),
        stat(
            "Unreachable peers",
            f"sum(rabbitmq_unreachable_cluster_peers_count{{{ALL}}})",
            steps=NONE_IS_GOOD,
        ),
        stat("Messages ready", f"sum(rabbitmq_queue_messages_ready{{{ALL}}})"),
        stat("Messages unacknowledged", f"sum(rabbitmq_queue_messages_unacked{{{ALL}}})"),
        stat("Connections", f"sum(rabbitmq_connections{{{ALL}}})"),
        drill_stat(drills(NAMESPACE)),
    )


def _rows() -> tuple[Row, ...]:
    memory = f"rabbitmq_process_resident_memory_bytes{{{CHOSEN}}} / rabbitmq_resident_memory_limit_bytes{{{CHOSEN}}}"
    messages = (
        graph("Published", WATCHED.rates("rabbitmq_global_messages_received_total"), "{{pod}}", "ops"),
        graph("Delivered", WATCHED.rates("rabbitmq_global_messages_delivered_total"), "{{pod}}", "ops"),
        graph("Ready", f"sum by (pod) (rabbitmq_queue_messages_ready{{{CHOSEN}}})", "{{pod}}"),
    )
    nodes = (
        graph("Memory of the alarm's limit", memory, "{{pod}}", "percentunit"),
        graph("Free disk", f"rabbitmq_disk_space_available_bytes{{{CHOSEN}}}", "{{pod}}", "bytes"),
        volume_panel(NAMESPACE),
        drill_panel(drills(NAMESPACE)),
    )
    return (Row("Messages", messages), Row("Nodes", nodes), pod_row(NAMESPACE))

"""Valkey: every slot of each cluster is served.

Upstream: oliver006/redis_exporter v1.78.0 `README.md`, which hyperspike/valkey-operator v0.0.61 runs as
`cmd/sidecar/daemon.go`, behind a Service of the cluster's name with `-metrics`.
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
from constructs_lib.platform.recovery import copy_slo, drill_alerts, drill_panel, drill_stat, drills
from constructs_lib.platform.valkey_operator.cluster import CONTAINER, NAMESPACE, ValkeyCluster
from constructs_lib.platform.valkey_operator.copies import copied

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

WATCHED = Selection(NAMESPACE, "redis_up")
ALL, CHOSEN = WATCHED.all, WATCHED.chosen


def of(env: Environment, operator: Deployment, clusters: tuple[ValkeyCluster, ...]) -> Health:
    """Return what is known about the clusters."""
    recent = (copy_slo(copied(env, cluster)) for cluster in clusters)
    old = (_old_certificate(copied(env, cluster).copy_name, cluster) for cluster in clusters)
    slos = (operator_availability("valkey-operator", operator), *map(_availability, clusters), *recent)
    drilled = (alert for cluster in clusters for alert in _drill_alerts(env, cluster))
    alerts = (*_alerts(clusters), *old, *drilled)
    return Health("valkey", "Valkey", slos, alerts, _now(), _rows(), (WATCHED.choice,))


def _drill_alerts(env: Environment, cluster: ValkeyCluster) -> Iterator[Alert]:
    pace = cluster.recovery.pace(env)
    return drill_alerts("Valkey", drills(NAMESPACE), cluster.name, cluster.recovery, pace)


def _availability(cluster: ValkeyCluster) -> Slo:
    # A node that lost the majority says so; the others know whether every slot has its primary.
    state = f'max(redis_cluster_state{{{ALL},service="{cluster.metrics_service}"}})'
    return Slo(
        name=f"valkey-{cluster.name}-availability",
        objective=99.9,
        ratio=while_true(f"{state} == bool 1"),
        runbook="valkey-availability",
    )


def _old_certificate(copy_name: str, cluster: ValkeyCluster) -> Alert:
    """A node reads its certificate when it starts, and with each copy; its operator restarts none (tests/e2e/node)."""
    started = f'kube_pod_container_state_started{{{ALL},container="{CONTAINER}",pod=~"{cluster.name}-[0-9]+"}}'
    issued = f'certmanager_certificate_not_before_timestamp_seconds{{exported_{ALL},name="{cluster.name}"}}'
    told = f'kube_cronjob_status_last_successful_time{{{ALL},cronjob="{copy_name}"}}'
    return Alert(
        name="ValkeyShowsOldCertificate",
        expr=f"min({started}) < max({issued}) unless max({told}) > max({issued})",
        hold="26h",
        summary=f"Valkey {cluster.name} has not read its certificate since that was renewed. Copy it, or restart it.",
        runbook="certificate-expiry",
    )


def _alerts(clusters: tuple[ValkeyCluster, ...]) -> tuple[Alert, ...]:
    refusing = "|".join(cluster.metrics_service for cluster in clusters if cluster.maxmemory_policy == "noeviction")
    return (*_of_nodes(), _full(refusing)) if refusing else _of_nodes()


def _full(services: str) -> Alert:
    chosen = f'{ALL},service=~"{services}"'
    used, limit = (f"max by (pod) (redis_memory_{what}_bytes{{{chosen}}})" for what in ("used", "max"))
    return Alert(
        name="ValkeyFull",
        expr=f"{used} / {limit} > 0.9",
        hold="15m",
        summary=f"{POD} keeps {{{{ $value | humanizePercentage }}}} of what it may; when it is full it refuses writes.",
        runbook="valkey-memory",
    )


def _of_nodes() -> tuple[Alert, ...]:
    used = f'container_memory_working_set_bytes{{{ALL},container="{CONTAINER}"}}'
    limit = f'kube_pod_container_resource_limits{{{ALL},container="{CONTAINER}",resource="memory"}}'
    return (
        Alert(
            name="ValkeyNodeDown",
            expr=f"redis_up{{{ALL}}} == 0",
            hold="10m",
            summary=f"{POD} does not answer.",
            runbook="valkey-availability",
        ),
        Alert(
            name="ValkeyMemoryHigh",
            expr=f"max by (pod) ({used}) / max by (pod) ({limit}) > 0.9",
            hold="15m",
            summary=f"{POD} uses {{{{ $value | humanizePercentage }}}} of its memory; at the limit it is killed.",
            runbook="valkey-memory",
        ),
        Alert(
            name="ValkeyRejectsConnections",
            expr=f"increase(redis_rejected_connections_total{{{ALL}}}[10m]) > 0",
            hold="10m",
            summary=f"{POD} turns clients away: it has as many as maxclients allows.",
            runbook="valkey-connections",
        ),
    )


def _now() -> tuple[Panel, ...]:
    hits, misses = (f"sum(rate(redis_keyspace_{what}_total{{{ALL}}}[$__rate_interval]))" for what in ("hits", "misses"))
    return (
        stat("Nodes up", f"sum(redis_up{{{ALL}}})"),
        stat("Slots not served", f"max(redis_cluster_slots_fail{{{ALL}}})", steps=NONE_IS_GOOD),
        stat("Clients", f"sum(redis_connected_clients{{{ALL}}})"),
        stat("Hits", f"{hits} / ({hits} + {misses} > 0)", "percentunit"),
        stat("Keys", f"sum(redis_db_keys{{{ALL}}})"),
        drill_stat(drills(NAMESPACE)),
    )


def _rows() -> tuple[Row, ...]:
    work = (
        graph("Commands", WATCHED.rates("redis_commands_processed_total"), "{{pod}}", "ops"),
        graph("Evicted keys", WATCHED.rates("redis_evicted_keys_total"), "{{pod}}", "ops"),
        graph("Network out", WATCHED.rates("redis_net_output_bytes_total"), "{{pod}}", "Bps"),
    )
    data = (
        graph("Memory", f"redis_memory_used_bytes{{{CHOSEN}}}", "{{pod}}", "bytes"),
        volume_panel(NAMESPACE),
        drill_panel(drills(NAMESPACE)),
    )
    return (Row("Work", work), Row("Data", data), pod_row(NAMESPACE))

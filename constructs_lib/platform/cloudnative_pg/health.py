"""Postgres: it takes writes, its replicas follow, its backups are recent.

Upstream: cloudnative-pg/cloudnative-pg v1.30.0 `docs/src/monitoring.md` and `config/manager/default-monitoring.yaml`;
cloudnative-pg/plugin-barman-cloud v0.13.0 `web/docs/observability.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.health import (
    POD,
    Alert,
    Health,
    Panel,
    Ratio,
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
from constructs_lib.platform.cloudnative_pg import drill
from constructs_lib.platform.cloudnative_pg.settings import NAMESPACE, PostgresCluster
from constructs_lib.platform.recovery import drill_alerts, drill_panel, drill_stat

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

LONGEST_LAG = 30
"""Seconds by which a replica may be behind."""
LAST_BACKUP = "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp"
WATCHED = Selection(NAMESPACE, "cnpg_collector_up")
ALL, CHOSEN = WATCHED.all, WATCHED.chosen


def of(env: Environment, operator: Deployment, clusters: tuple[PostgresCluster, ...]) -> Health:
    """Return what is known about the clusters."""
    slos = (
        operator_availability("postgres-operator", operator),
        *(slo for cluster in clusters for slo in _slos(cluster)),
    )
    missing = (_replica_missing(cluster) for cluster in clusters if cluster.instances > 1)
    drills = (alert for cluster in clusters for alert in _drill_alerts(env, cluster))
    alerts = (*_alerts(), *missing, *drills)
    return Health("postgres", "Postgres", slos, alerts, _now(), _rows(), (WATCHED.choice,))


def _instances(cluster: PostgresCluster) -> str:
    return f'{ALL},pod=~"{cluster.name}-[0-9]+"'


def _slos(cluster: PostgresCluster) -> Iterator[Slo]:
    pods_of = _instances(cluster)
    primary = f"cnpg_pg_replication_in_recovery{{{pods_of}}} == 0"
    up = f"max(cnpg_collector_up{{{pods_of}}} and on (pod) {primary}) == bool 1"
    yield Slo(
        name=f"postgres-{cluster.name}-availability",
        objective=99.9,
        ratio=while_true(up),
        runbook="postgres-availability",
    )
    if cluster.instances > 1:
        lag = f"cnpg_pg_replication_lag{{{pods_of}}}"
        yield Slo(
            name=f"postgres-{cluster.name}-replication-lag",
            objective=99.0,
            ratio=Ratio(good=f"count({lag} < {LONGEST_LAG})", total=f"count({lag})"),
            runbook="postgres-replication-lag",
        )
    yield Slo(
        name=f"postgres-{cluster.name}-backup",
        objective=99.0,
        ratio=while_true(f"time() - max({LAST_BACKUP}{{{pods_of}}}) < bool {cluster.backup_max_age.seconds}"),
        runbook="postgres-backup",
    )
    waiting = f'max(cnpg_collector_pg_wal_archive_status{{{pods_of},value="ready"}} and on (pod) {primary})'
    since = f"max(cnpg_pg_stat_archiver_seconds_since_last_archival{{{pods_of}}} and on (pod) {primary})"
    yield Slo(
        name=f"postgres-{cluster.name}-recovery-point",
        objective=99.0,
        ratio=while_true(f"1 - ({waiting} > bool 0) * ({since} >= bool {cluster.recovery.rpo.seconds})"),
        runbook="postgres-backup",
    )


def _drill_alerts(env: Environment, cluster: PostgresCluster) -> Iterator[Alert]:
    pace = cluster.recovery.pace(env)
    return drill_alerts("Postgres", drill.NAMESPACE, cluster.name, cluster.recovery, pace)


def _replica_missing(cluster: PostgresCluster) -> Alert:
    return Alert(
        name="PostgresReplicaMissing",
        expr=f"count(cnpg_collector_up{{{_instances(cluster)}}} == 1) < {cluster.instances}",
        hold="15m",
        summary=f"Postgres {cluster.name} runs on {{{{ $value }}}} of {cluster.instances} instances.",
        runbook="postgres-availability",
    )


def _alerts() -> tuple[Alert, ...]:
    archiver = f"cnpg_pg_stat_archiver_{{}}_time{{{{{ALL}}}}}"
    used = f"sum by (pod) (cnpg_backends_total{{{ALL}}})"
    allowed = f'max by (pod) (cnpg_pg_settings_setting{{{ALL},name="max_connections"}})'
    return (
        Alert(
            name="PostgresArchivingFails",
            expr=f"{archiver.format('last_failed')} > {archiver.format('last_archived')}",
            severity="critical",
            hold="15m",
            summary=f"{POD} has not archived its log since an archiving failed: nothing newer can be recovered.",
            runbook="postgres-backup",
        ),
        Alert(
            name="PostgresConnectionsExhausted",
            expr=f"{used} / {allowed} > 0.9",
            hold="10m",
            summary=f"{POD} has {{{{ $value | humanizePercentage }}}} of its connections in use.",
            runbook="postgres-connections",
        ),
        Alert(
            name="PostgresWraparoundNear",
            expr=f"max by (pod, datname) (cnpg_pg_database_xid_age{{{ALL}}}) > 1.5e9",
            severity="critical",
            summary=f"Database {{{{ $labels.datname }}}} of {POD} refuses writes at 2.1e9 transactions.",
            runbook="postgres-wraparound",
        ),
    )


def _rate(metric: str) -> str:
    return WATCHED.rates(metric, "datname")


def _now() -> tuple[Panel, ...]:
    return (
        stat("Instances up", f"sum(cnpg_collector_up{{{ALL}}})"),
        stat("Streaming replicas", f"sum(cnpg_pg_replication_streaming_replicas{{{ALL}}})"),
        stat(
            "Greatest lag",
            f"max(cnpg_pg_replication_lag{{{ALL}}})",
            "s",
            steps=((0, "green"), (LONGEST_LAG, "red")),
        ),
        stat("Since the last backup", f"time() - max({LAST_BACKUP}{{{ALL}}})", "s"),
        drill_stat(drill.NAMESPACE),
        stat("Since the last archived log", f"min(cnpg_pg_stat_archiver_seconds_since_last_archival{{{ALL}}})", "s"),
    )


def _rows() -> tuple[Row, ...]:
    hit, read = _rate("cnpg_pg_stat_database_blks_hit"), _rate("cnpg_pg_stat_database_blks_read")
    work = (
        graph("Commits", _rate("cnpg_pg_stat_database_xact_commit"), "{{datname}}", "ops"),
        graph("Rollbacks", _rate("cnpg_pg_stat_database_xact_rollback"), "{{datname}}", "ops"),
        graph("Cache hits", f"{hit} / ({hit} + {read} > 0)", "{{datname}}", "percentunit"),
        graph("Connections", f"sum by (pod, state) (cnpg_backends_total{{{CHOSEN}}})", "{{pod}} {{state}}"),
        graph(
            "Longest transaction",
            f"max by (pod, datname) (cnpg_backends_max_tx_duration_seconds{{{CHOSEN}}})",
            "{{pod}} {{datname}}",
            "s",
        ),
        graph("Deadlocks", _rate("cnpg_pg_stat_database_deadlocks"), "{{datname}}", "ops"),
    )
    data = (
        graph("Replication lag", f"cnpg_pg_replication_lag{{{CHOSEN}}}", "{{pod}}", "s"),
        graph("Size", f"max by (datname) (cnpg_pg_database_size_bytes{{{CHOSEN}}})", "{{datname}}", "bytes"),
        volume_panel(NAMESPACE),
        drill_panel(drill.NAMESPACE),
    )
    return (Row("Work", work), Row("Data", data), pod_row(NAMESPACE))

"""What Postgres shows when an objective or an alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.recovery import drill_fails, drill_missing
from tests.constructs_lib.health.series import always, critical, deployment, gauge, moment, objective, warning

PRIMARY, REPLICA, THIRD = (f'namespace="databases",pod="main-{number}"' for number in (1, 2, 3))
OTHER = 'namespace="elsewhere",pod="main-1"'
"""Somebody else's Postgres, which is always bad."""
LAST_BACKUP = "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp"
HOUR = 3600

SLOS = {
    "postgres-operator": objective(99.0, deployment("cnpg-system", "cloudnative-pg")),
    "postgres-main-availability": objective(
        99.9,
        {
            f"cnpg_collector_up{{{PRIMARY}}}": gauge(1, 0),
            f"cnpg_collector_up{{{REPLICA}}}": always(1),
            f"cnpg_pg_replication_in_recovery{{{PRIMARY}}}": always(0),
            f"cnpg_pg_replication_in_recovery{{{REPLICA}}}": always(1),
            f"cnpg_collector_up{{{OTHER}}}": always(0),
        },
    ),
    "postgres-main-replication-lag": objective(
        99.0,
        {
            f"cnpg_pg_replication_lag{{{PRIMARY}}}": gauge(0, 30),
            f"cnpg_pg_replication_lag{{{REPLICA}}}": gauge(29.9, 30),
            f"cnpg_pg_replication_lag{{{OTHER}}}": always(300),
        },
    ),
    "postgres-main-backup": objective(
        99.0,
        {
            f"{LAST_BACKUP}{{{PRIMARY}}}": moment(26 * HOUR - 1, 26 * HOUR),
            f"{LAST_BACKUP}{{{OTHER}}}": always(0),
        },
    ),
    "postgres-main-recovery-point": objective(
        99.0,
        {
            f'cnpg_collector_pg_wal_archive_status{{{PRIMARY},value="ready"}}': always(1),
            f'cnpg_collector_pg_wal_archive_status{{{PRIMARY},value="done"}}': always(0),
            f"cnpg_pg_stat_archiver_seconds_since_last_archival{{{PRIMARY}}}": gauge(599, 600),
            f"cnpg_pg_stat_archiver_seconds_since_last_archival{{{REPLICA}}}": always(9999),
            f"cnpg_pg_replication_in_recovery{{{PRIMARY}}}": always(0),
            f"cnpg_pg_replication_in_recovery{{{REPLICA}}}": always(1),
        },
        {
            f'cnpg_collector_pg_wal_archive_status{{{PRIMARY},value="ready"}}': gauge(0, 1),
            f'cnpg_collector_pg_wal_archive_status{{{REPLICA},value="ready"}}': always(1),
            f"cnpg_pg_stat_archiver_seconds_since_last_archival{{{PRIMARY}}}": always(9999),
            f"cnpg_pg_replication_in_recovery{{{PRIMARY}}}": always(0),
            f"cnpg_pg_replication_in_recovery{{{REPLICA}}}": always(1),
        },
    ),
}
ALERTS = {
    "PostgresArchivingFails": critical(
        "15m",
        {
            f"cnpg_pg_stat_archiver_last_archived_time{{{PRIMARY}}}": moment(60, 61),
            f"cnpg_pg_stat_archiver_last_failed_time{{{PRIMARY}}}": moment(60, 60),
            f"cnpg_pg_stat_archiver_last_archived_time{{{OTHER}}}": always(0),
            f"cnpg_pg_stat_archiver_last_failed_time{{{OTHER}}}": always(1),
        },
    ),
    "PostgresConnectionsExhausted": warning(
        "10m",
        {
            f'cnpg_backends_total{{{PRIMARY},state="idle"}}': gauge(85, 86),
            f'cnpg_backends_total{{{PRIMARY},state="active"}}': always(5),
            f'cnpg_pg_settings_setting{{{PRIMARY},name="max_connections"}}': always(100),
            f'cnpg_pg_settings_setting{{{PRIMARY},name="max_wal_size"}}': always(1024),
        },
    ),
    "PostgresWraparoundNear": critical(
        "5m",
        {
            f'cnpg_pg_database_xid_age{{{PRIMARY},datname="episodic"}}': gauge(1.5e9, 1.5e9 + 1),
            f'cnpg_pg_database_xid_age{{{OTHER},datname="episodic"}}': always(2e9),
        },
    ),
    "PostgresReplicaMissing": warning(
        "15m",
        {
            f"cnpg_collector_up{{{PRIMARY}}}": always(1),
            f"cnpg_collector_up{{{REPLICA}}}": always(1),
            f"cnpg_collector_up{{{THIRD}}}": gauge(1, 0),
            f"cnpg_collector_up{{{OTHER}}}": always(1),
        },
    ),
    "PostgresDrillFails": drill_fails("drills"),
    "PostgresDrillMissing": drill_missing("drills"),
}

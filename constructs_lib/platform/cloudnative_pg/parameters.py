"""PostgreSQL parameters that the operator sets itself, so that its webhook refuses a cluster with them.

Upstream: cloudnative-pg/cloudnative-pg v1.30.0 `pkg/postgres/configuration.go` (FixedConfigurationParameters) and
`internal/webhook/v1/cluster_webhook.go` (validateConfiguration).
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

FIXED = frozenset(
    """
    allow_system_table_mods archive_cleanup_command archive_command archive_mode bonjour bonjour_name cluster_name
    config_file data_directory data_sync_retry event_source external_pid_file hba_file hot_standby ident_file
    jit_provider listen_addresses log_destination log_directory log_file_mode log_filename log_rotation_age
    log_rotation_size log_truncate_on_rotation logging_collector pg_failover_slots.primary_dsn
    pg_failover_slots.standby_slot_names port primary_conninfo primary_slot_name promote_trigger_file
    recovery_end_command recovery_min_apply_delay recovery_target recovery_target_action recovery_target_inclusive
    recovery_target_lsn recovery_target_name recovery_target_time recovery_target_timeline recovery_target_xid
    restart_after_crash restore_command shared_preload_libraries ssl ssl_ca_file ssl_cert_file ssl_crl_file
    ssl_dh_params_file ssl_ecdh_curve ssl_key_file ssl_passphrase_command ssl_passphrase_command_supports_reload
    ssl_prefer_server_ciphers stats_temp_directory synchronized_standby_slots synchronous_standby_names
    syslog_facility syslog_ident syslog_sequence_numbers syslog_split_messages temp_tablespaces
    unix_socket_directories unix_socket_group unix_socket_permissions
    """.split()  # noqa: SIM905
)
ARCHIVE_TIMEOUT = "archive_timeout"
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")
_WAL_LEVELS = ("logical", "replica")


def _check(parameters: dict[str, str]) -> dict[str, str]:
    for name in parameters:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"'{name}' is no name of a PostgreSQL parameter, such as 'work_mem' or 'auto_explain.log_analyze'"
            )
        if name.lower() == "shared_preload_libraries":
            raise ValueError(f"{name} may not be set here; list the libraries in preload_libraries")
        if name.lower() == ARCHIVE_TIMEOUT:
            raise ValueError(f"{name} may not be set here; it follows recovery.rpo")
        if name.lower() in FIXED:  # PostgreSQL does not look at the case, as in `TimeZone`
            raise ValueError(f"{name} may not be set, since CloudNativePG sets it; remove it")
    level = {name.lower(): value for name, value in parameters.items()}.get("wal_level", "logical")
    if level not in _WAL_LEVELS:
        raise ValueError(f"wal_level must be {' or '.join(_WAL_LEVELS)}, which backups need, found '{level}'")
    return parameters


Parameters = Annotated[dict[str, str], AfterValidator(_check)]
"""Parameters by name, each as text. Raises `ValueError` for one that the operator refuses."""

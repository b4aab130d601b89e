"""Recovery, as all services that hold data have it: objectives, copies in the bucket, drills, and the way back.

Postgres archives by itself; what others hold is copied by a job. Both are rehearsed alike (docs/decisions/0043).
"""

from constructs_lib.platform.recovery.copies import (
    SIZE,
    Copied,
    copies_layer,
    credentials,
    drills,
    links,
    recovery_layer,
    recovery_name,
    workloads,
)
from constructs_lib.platform.recovery.health import copy_slo, drill_alerts, drill_panel, drill_stat
from constructs_lib.platform.recovery.jobs import CRON, IMAGE, once, pod, scheduled, step
from constructs_lib.platform.recovery.settings import CopyRecovery, Origin, Pace, Rehearsed
from constructs_lib.platform.recovery.store import (
    BACKUP_SECRET,
    CA_KEY,
    bucket_environ,
    bucket_key,
    client_settings,
)

__all__ = [
    "BACKUP_SECRET",
    "CA_KEY",
    "CRON",
    "IMAGE",
    "SIZE",
    "Copied",
    "CopyRecovery",
    "Origin",
    "Pace",
    "Rehearsed",
    "bucket_environ",
    "bucket_key",
    "client_settings",
    "copies_layer",
    "copy_slo",
    "credentials",
    "drill_alerts",
    "drill_panel",
    "drill_stat",
    "drills",
    "links",
    "once",
    "pod",
    "recovery_layer",
    "recovery_name",
    "scheduled",
    "step",
    "workloads",
]

"""What Valkey shows when an objective or an alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.recovery import copies, drill_fails, drill_missing
from tests.constructs_lib.health.series import Counter, always, deployment, gauge, objective, warning

POD, SECOND = (f'namespace="cache",pod="main-{number}"' for number in (0, 1))
OTHER = 'namespace="elsewhere",pod="main-0"'
"""Somebody else's Valkey, which is always bad."""
USED = 'container_memory_working_set_bytes{{{},container="{}"}}'
LIMIT = 'kube_pod_container_resource_limits{{{},container="{}",resource="{}"}}'
STARTED = 'kube_pod_container_state_started{{{},container="{}"}}'
ISSUED = 'certmanager_certificate_not_before_timestamp_seconds{{exported_namespace="cache",name="{}"}}'
COPIED = 'kube_cronjob_status_last_successful_time{{namespace="cache",cronjob="{}"}}'

SLOS = {
    "valkey-operator": objective(99.0, deployment("valkey-operator-system", "valkey-operator-controller-manager")),
    "valkey-main-availability": objective(
        99.9,
        {
            f'redis_cluster_state{{{POD},service="main-metrics"}}': gauge(1, 0),
            f'redis_cluster_state{{{SECOND},service="main-metrics"}}': gauge(1, None),
            f'redis_cluster_state{{{SECOND},service="other-metrics"}}': always(1),
        },
    ),
    "valkey-main-recovery-point": copies("cache", 86400),
}
ALERTS = {
    "ValkeyNodeDown": warning("10m", {f"redis_up{{{POD}}}": gauge(1, 0), f"redis_up{{{OTHER}}}": always(0)}),
    "ValkeyMemoryHigh": warning(
        "15m",
        {
            USED.format(POD, "valkey"): gauge(9e8, 9.01e8),
            LIMIT.format(POD, "valkey", "memory"): always(1e9),
            LIMIT.format(POD, "valkey", "cpu"): always(2),
            USED.format(POD, "exporter"): always(2e9),
            LIMIT.format(POD, "exporter", "memory"): always(1e12),
        },
    ),
    "ValkeyShowsOldCertificate": warning(
        "26h",
        {
            STARTED.format(POD, "valkey"): always(999),
            COPIED.format("main-copy"): gauge(1001, 1000),
            COPIED.format("other-copy"): always(2000),
            STARTED.format(SECOND, "valkey"): always(1001),
            STARTED.format(SECOND, "metrics"): always(1),
            ISSUED.format("main"): always(1000),
            ISSUED.format("other"): always(2000),
        },
    ),
    "ValkeyFull": warning(
        "15m",
        {
            f'redis_memory_used_bytes{{{POD},service="main-metrics"}}': gauge(9e8, 9.01e8),
            f'redis_memory_max_bytes{{{POD},service="main-metrics"}}': always(1e9),
            f'redis_memory_used_bytes{{{SECOND},service="other-metrics"}}': always(1e9),
            f'redis_memory_max_bytes{{{SECOND},service="other-metrics"}}': always(1e9),
        },
    ),
    "ValkeyRejectsConnections": warning(
        "10m",
        {
            f"redis_rejected_connections_total{{{POD}}}": Counter(0, 1),
            f"redis_rejected_connections_total{{{OTHER}}}": Counter(1, 1),
        },
    ),
    "ValkeyDrillFails": drill_fails("cache-drills"),
    "ValkeyDrillMissing": drill_missing("cache-drills"),
}

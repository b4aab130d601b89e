"""What RabbitMQ shows when an objective or an alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.recovery import copies, drill_fails, drill_missing
from tests.constructs_lib.health.series import Case, Counter, always, critical, deployment, gauge, objective, warning

BROKERS = [f'namespace="messaging",pod="main-server-{number}"' for number in range(3)]
OTHER = 'namespace="elsewhere",pod="main-server-0"'
"""Somebody else's broker, which is always bad."""
PEERS = "rabbitmq_unreachable_cluster_peers_count"


def alarm(kind: str) -> Case:
    """Return an alarm of one broker."""
    metric = f"rabbitmq_alarms_{kind}_watermark"
    return {f"{metric}{{{BROKERS[0]}}}": gauge(0, 1), f"{metric}{{{OTHER}}}": always(1)}


def nodes(good: int, bad: int) -> Case:
    """Return so many nodes that are there, beside one of somebody else's."""
    there = {
        f"rabbitmq_identity_info{{{broker}}}": gauge(1 if number < good else None, 1 if number < bad else None)
        for number, broker in enumerate(BROKERS)
    }
    return {**there, f"rabbitmq_identity_info{{{OTHER}}}": always(1)}


def ready(values: Counter) -> Case:
    """Return the messages that wait on one broker; elsewhere they pile up anyway."""
    metric = "rabbitmq_queue_messages_ready"
    return {f"{metric}{{{BROKERS[0]}}}": values, f"{metric}{{{OTHER}}}": Counter(100, 100, start=5000)}


SLOS = {
    "rabbitmq-operator": objective(99.0, deployment("rabbitmq-system", "rabbitmq-cluster-operator")),
    "rabbitmq-main-availability": objective(99.9, nodes(2, 1)),
    "rabbitmq-main-quorum": objective(
        99.0,
        {**nodes(3, 3), f"{PEERS}{{{BROKERS[0]}}}": gauge(0, 1), f"{PEERS}{{{BROKERS[1]}}}": always(0)},
        {**nodes(3, 2), f"{PEERS}{{{BROKERS[0]}}}": always(0), f"{PEERS}{{{OTHER}}}": always(1)},
    ),
    "rabbitmq-main-recovery-point": copies("messaging", 86400),
}
ALERTS = {
    "RabbitmqMemoryAlarm": critical("2m", alarm("memory_used")),
    "RabbitmqDiskAlarm": critical("2m", alarm("free_disk_space")),
    "RabbitmqQueuesGrow": warning(
        "1h",
        # More than 1000, and more; a thousand that do not grow; fewer that do.
        ready(Counter(0, 1, start=1000)),
        ready(Counter(5, 100)),
    ),
    "RabbitmqDrillFails": drill_fails("messaging-drills"),
    "RabbitmqDrillMissing": drill_missing("messaging-drills"),
}

"""How it is known that what the bucket holds is recent, and can be recovered.

Upstream: kubernetes/kube-state-metrics `docs/metrics/workload/{cronjob,job}-metrics.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.base.quantities import Days
from constructs_lib.health import Alert, Panel, Slo, graph, stat, while_true
from constructs_lib.platform.recovery.copies import Copied
from constructs_lib.platform.recovery.settings import Pace, Rehearsed

SLACK = 600
"""Seconds that a drill may take to begin and to end, beside the recovery."""
ENDS = ("completion", "start")
OLDEST_DRILL: dict[Pace, Days] = {"daily": Days("2d"), "weekly": Days("8d"), "monthly": Days("32d")}
"""How old the last good drill may be: a day more than from one to the next."""


def _times(namespace: str, cronjob: str) -> tuple[str, str, str]:
    """Return the metrics of when a job was begun last, was good last, and of when there was none yet."""
    of_it = f'{{namespace="{namespace}",cronjob="{cronjob}"}}'
    begun, good = (f"kube_cronjob_status_last_{what}_time{of_it}" for what in ("schedule", "successful"))
    return begun, good, f"kube_cronjob_created{of_it}"


def drill_alerts(title: str, namespace: str, name: str, recovery: Rehearsed, pace: Pace) -> Iterator[Alert]:
    """Yield the alerts on the drills of a cluster; `title` is what people call its service, such as Postgres."""
    begun, good, created = _times(namespace, name)
    prefix, runbook = title.capitalize(), f"{title.lower()}-drill"
    yield Alert(
        name=f"{prefix}DrillFails",
        expr=f"time() - ({begun} unless {good} >= {begun}) > {recovery.rto.seconds + SLACK}",
        summary=f"The last drill of {title} {name} failed, or took longer than {recovery.rto}: "
        "its backup may be of no use.",
        runbook=runbook,
    )
    yield Alert(
        name=f"{prefix}DrillMissing",
        expr=f"time() - ({good} or {created}) > {OLDEST_DRILL[pace].seconds}",
        summary=f"No drill of {title} {name} was good for {OLDEST_DRILL[pace]}, though one is {pace}.",
        runbook=runbook,
    )


def copy_slo(one: Copied) -> Slo:
    """Return the objective that the newest copy is not older than may be lost."""
    _, good, created = _times(one.namespace, one.copy_name)
    return Slo(
        name=f"{one.service}-{one.name}-recovery-point",
        objective=99.0,
        ratio=while_true(f"time() - max({good} or {created}) < bool {one.recovery.rpo_seconds}"),
        runbook=f"{one.service}-drill",
    )


def drill_stat(namespace: str) -> Panel:
    """Return how long the last good drill ago is, of the cluster for which that is the longest."""
    of_all = f'{{namespace="{namespace}"}}'
    good = f"kube_cronjob_status_last_successful_time{of_all}"
    return stat("Since the last good drill", f"time() - min({good})", "s")


def drill_panel(namespace: str) -> Panel:
    """Return how long drills took."""
    times = (f'kube_job_status_{end}_time{{namespace="{namespace}"}}' for end in ENDS)
    return graph("Drills took", " - ".join(times), "{{job_name}}", "s")

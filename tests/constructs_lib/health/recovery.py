"""What kube-state-metrics shows of copies and drills that are recent, and of those that are not."""

from __future__ import annotations

from tests.constructs_lib.health.series import Objective, Raised, always, moment, objective, warning

HOUR, DAY = 3600, 86400
BEGUN, GOOD = ("kube_cronjob_status_last_schedule_time", "kube_cronjob_status_last_successful_time")
CREATED = "kube_cronjob_created"


def _of(name: str, namespace: str) -> tuple[str, str]:
    """Return the labels of a job of `main`, and those of somebody else's, which is always bad."""
    return f'namespace="{namespace}",cronjob="{name}"', f'namespace="elsewhere",cronjob="{name}"'


def drill_fails(namespace: str) -> Raised:
    """Return the cases of a drill that fails, or takes longer than an hour."""
    drill, other = _of("main", namespace)
    return warning(
        "5m",
        # It never was good, and may still run or has failed.
        {f"{BEGUN}{{{drill}}}": moment(HOUR + 600, HOUR + 601), f"{BEGUN}{{{other}}}": always(0)},
        # It was good once, before the last one or after it.
        {f"{BEGUN}{{{drill}}}": moment(DAY, DAY), f"{GOOD}{{{drill}}}": moment(DAY, DAY + 1)},
    )


def drill_missing(namespace: str) -> Raised:
    """Return the cases of weekly drills of which none was good."""
    drill, other = _of("main", namespace)
    return warning(
        "5m",
        {f"{GOOD}{{{drill}}}": moment(8 * DAY, 8 * DAY + 1), f"{GOOD}{{{other}}}": always(0)},
        {f"{CREATED}{{{drill}}}": moment(8 * DAY, 8 * DAY + 1)},
        {f"{GOOD}{{{drill}}}": moment(DAY, 9 * DAY), f"{CREATED}{{{drill}}}": moment(99 * DAY, 99 * DAY)},
    )


def copies(namespace: str, seconds: int) -> Objective:
    """Return the cases of copies of which the newest may be so many seconds old."""
    copy, other = _of("main-copy", namespace)
    return objective(
        99.0,
        {f"{GOOD}{{{copy}}}": moment(seconds - 1, seconds), f"{GOOD}{{{other}}}": always(0)},
        {f"{CREATED}{{{copy}}}": moment(seconds - 1, seconds)},
        {f"{GOOD}{{{copy}}}": moment(HOUR, 2 * seconds), f"{CREATED}{{{copy}}}": moment(99 * DAY, 99 * DAY)},
    )

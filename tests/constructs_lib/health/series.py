"""Series for promtool: what an exporter shows while all is well, and while something is bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

START = 1_700_000_000
"""When promtool's clock starts, in seconds since 1970; the very beginning would make all moments before it negative."""

Minutes = Sequence[bool]
"""For each minute whether it is bad."""
Values = Callable[[Minutes], list[float | None]]
Case = dict[str, Values]
"""Values by series; a series without a value in a minute is absent then."""


class Objective(NamedTuple):
    """What an objective promises, in percent, and cases just within and just beyond what counts as good."""

    percent: float
    cases: tuple[Case, ...]


class Raised(NamedTuple):
    """How an alert is raised: its severity, how long it waits, and cases just below and just above its threshold."""

    severity: str
    hold: str
    cases: tuple[Case, ...]


def objective(percent: float, *cases: Case) -> Objective:
    """Return what is expected of an objective."""
    return Objective(percent, cases)


def critical(hold: str, *cases: Case) -> Raised:
    """Return what is expected of an alert that cannot wait."""
    return Raised("critical", hold, cases)


def warning(hold: str, *cases: Case) -> Raised:
    """Return what is expected of an alert that can wait until the morning."""
    return Raised("warning", hold, cases)


def gauge(good: float | None, bad: float | None) -> Values:
    """Return a gauge with one value in good minutes and another in bad ones."""
    return lambda minutes: [bad if is_bad else good for is_bad in minutes]


@dataclass(frozen=True)
class Counter:
    """A counter that begins at `start`, and grows by `good` in a good minute and by `bad` in a bad one."""

    good: float
    bad: float
    start: float = 0.0

    def __call__(self, minutes: Minutes) -> list[float | None]:
        """Return its value in each minute."""
        return list(accumulate((self.bad if is_bad else self.good for is_bad in minutes[1:]), initial=self.start))


def moment(good: float, bad: float) -> Values:
    """Return a gauge that holds a point in time: so many seconds before now."""
    return lambda minutes: [START + 60 * number - (bad if is_bad else good) for number, is_bad in enumerate(minutes)]


def always(value: float) -> Values:
    """Return a gauge that never changes."""
    return gauge(value, value)


def deployment(namespace: str, name: str) -> Case:
    """Return a deployment that has one pod, or none."""
    return {f'kube_deployment_status_replicas_available{{namespace="{namespace}",deployment="{name}"}}': gauge(1, 0)}


def input_series(case: Case, minutes: Minutes) -> list[dict[str, Any]]:
    """Return the input of a promtool test, with a sample each minute."""
    return [
        {"series": name, "values": " ".join("stale" if value is None else f"{value:.12g}" for value in values(minutes))}
        for name, values in case.items()
    ]

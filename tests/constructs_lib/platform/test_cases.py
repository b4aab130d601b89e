"""Every objective and every alert notices what its cases say, just beyond its threshold, and nothing just within it."""

from __future__ import annotations

import pytest

from constructs_lib.health import Alert, Slo, rule_groups
from constructs_lib.kit import Manifest
from tests.constructs_lib.health.evaluate import evaluate, samples
from tests.constructs_lib.health.series import Case
from tests.constructs_lib.platform.collected import ALERTS, COMPONENTS, SLOS, cases
from tests.support import everything

ENV = everything()
HEALTH = ENV.platform.health(ENV)
OWN_SLOS: dict[str, Slo] = {slo.name: slo for item in HEALTH.values() for slo in item.slos}
ADDITIONAL: dict[str, Slo] = {slo.name: slo for slo in ENV.platform.observability.slos.additional}
OWN_ALERTS: dict[str, Alert] = {alert.name: alert for item in HEALTH.values() for alert in item.alerts}
MINUTES = 180


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_has_a_case_for_each_of_its_objectives_and_alerts(component: str) -> None:
    known = HEALTH[component]
    assert set(cases(component).SLOS) == {slo.name for slo in known.slos}
    assert set(cases(component).ALERTS) == {alert.name for alert in known.alerts} - {"Watchdog"}


@pytest.mark.parametrize("name", sorted(SLOS))
def test_an_objective_counts_what_is_bad_from_its_threshold_on(name: str) -> None:
    slo = (OWN_SLOS | ADDITIONAL)[name]
    assert slo.objective == SLOS[name].percent
    records = {rule["record"]: rule["expr"] for rule in rules(slo) if "record" in rule}
    assert SLOS[name].cases
    for case in SLOS[name].cases:
        assert bad_share(records, case, is_bad=False) == 0
        assert bad_share(records, case, is_bad=True) > 1 - slo.objective / 100


def rules(slo: Slo) -> list[Manifest]:
    return [
        rule for group in rule_groups("service", slo, 30, "https://runbooks.example.org") for rule in group["rules"]
    ]


def bad_share(records: dict[str, str], case: Case, *, is_bad: bool) -> float:
    series = samples(case, [is_bad] * MINUTES)
    (bad,), (total,) = (evaluate(records[f"slo:{what}:rate5m"], series).values() for what in ("bad", "total"))
    assert total > 0
    return bad / total


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_is_raised_from_its_threshold_on(name: str) -> None:
    alert, expected = OWN_ALERTS[name], ALERTS[name]
    assert (alert.severity, alert.hold) == (expected.severity, expected.hold)
    assert expected.cases
    for case in expected.cases:
        assert evaluate(alert.expr, samples(case, [False] * MINUTES)) == {}
        assert len(evaluate(alert.expr, samples(case, [True] * MINUTES))) == 1


def test_the_dead_mans_switch_always_fires_and_disturbs_nobody() -> None:
    watchdog = OWN_ALERTS["Watchdog"]
    assert evaluate(watchdog.expr, {}) == {frozenset(): 1.0}
    assert (watchdog.severity, watchdog.hold) == ("none", "0s")

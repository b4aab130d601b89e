"""The rules as Prometheus' own tool reads and runs them: each alert fires when it must, and only then."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.environment import Environment, load_all
from constructs_lib.health.slo import Slo, burn_alerts
from constructs_lib.kit import Manifest
from constructs_lib.platform.observability import rules as health
from constructs_lib.platform.observability import slos
from tests.constructs_lib.health.series import START, Case, Counter, Minutes, input_series
from tests.constructs_lib.platform.collected import ALERTS, SLOS
from tests.e2e.conftest import require
from tests.support import ROOT, environment, everything

PROMTOOL = ROOT / "tools/bin/promtool"
ENV = everything()
RULES = {rule["metadata"]["name"]: rule["spec"] for rule in health.rules(ENV, slos.health(ENV))}
ALL_SLOS = {slo.name: slo for slo in slos.objectives(ENV)}
PLAIN = {
    rule["alert"]: rule
    for spec in RULES.values()
    for group in spec["groups"]
    for rule in group["rules"]
    if "alert" in rule and "slo" not in rule["labels"]
}
LONGEST = 26 * 60
PERIOD = 100


@pytest.fixture(autouse=True)
def promtool() -> None:
    require("promtool")


@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), ENV], ids=lambda env: env.name)
def test_prometheus_accepts_all_rules(env: Environment, tmp_path: Path) -> None:
    for rule in health.rules(env, slos.health(env)):
        _write(tmp_path / f"{rule['metadata']['name']}.yaml", rule["spec"])
    _run("check", "rules", "--lint-fatal", *map(str, tmp_path.glob("*.yaml")))


@pytest.mark.parametrize("env", [*load_all(ROOT / "environments"), ENV], ids=lambda env: env.name)
def test_prometheus_accepts_every_query_of_the_dashboards(env: Environment, tmp_path: Path) -> None:
    queries = [
        query.plain
        for page in health.dashboards(env, slos.health(env))
        for panel in page.panels
        for query in panel.queries
    ]
    assert len(queries) > 50
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    _write(tmp_path / "queries.yaml", {"groups": [{"name": "queries", "rules": rules}]})
    _run("check", "rules", str(tmp_path / "queries.yaml"))


def test_every_objective_and_every_alert_has_a_case() -> None:
    assert set(SLOS) == set(ALL_SLOS)
    assert set(ALERTS) == set(PLAIN) - {"Watchdog"}


@pytest.mark.parametrize("name", sorted(SLOS))
def test_a_budget_that_burns_raises_an_alert(name: str, tmp_path: Path) -> None:
    slo = ALL_SLOS[name]
    alerts = {alert.severity: alert.name for alert in burn_alerts(slo, slos.days(ENV, slo))}
    firing = {
        severity: f'count(ALERTS{{alertname="{alert}",alertstate="firing",severity="{severity}",slo="{name}"}})'
        for severity, alert in alerts.items()
    }
    well = [False] * 240
    outage = [False] * 180 + [True] * 30
    slow, quiet_again = _slow_burn(slo)
    scenarios = [
        scenario
        for case in SLOS[name].cases
        for scenario in (
            _test(case, well, {len(well) - 1: dict.fromkeys(firing.values(), 0)}),
            # Some exporters show a counter only once it has counted.
            _test(_shown(case, well), well, {len(well) - 1: dict.fromkeys(firing.values(), 0)}),
            _test(case, outage, {180: {firing["critical"]: 0}, 209: {firing["critical"]: 1}}),
            _test(case, slow, {quiet_again: {firing["critical"]: 0, firing["warning"]: 1}}),
        )
    ]
    _run_tests(tmp_path, _group_of(alerts["critical"]), scenarios)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_fires_when_it_must_and_only_then(name: str, tmp_path: Path) -> None:
    hold = _minutes(PLAIN[name]["for"])
    firing = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    # Counters need a while before a rate says anything.
    bad = [False] * 60 + [True] * (hold + 60)
    scenarios = [
        scenario
        for case in ALERTS[name].cases
        for scenario in (
            _test(case, [False] * len(bad), {len(bad) - 1: {firing: 0}}),
            _test(case, bad, {60 + hold - 1: {firing: 0}, len(bad) - 1: {firing: 1}}),
        )
    ]
    _run_tests(tmp_path, _group_of(name), scenarios)


def test_the_alert_of_an_application_fires_when_it_fails_and_not_when_another_does(tmp_path: Path) -> None:
    shop = {"owner": "team-shop", "hosts": {"shop": {"port": 8080}}, "slo": {"availability": 99.5}}
    env = environment(applications={"shop": shop})
    rules = {rule["metadata"]["name"]: rule["spec"] for rule in health.rules(env, slos.health(env))}
    alert = "AppShopAvailabilityBudgetBurn"
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing",severity="critical",service="shop"}})'
    requests = 'traefik_service_requests_total{{exported_service="{}@kubernetes",code="{}"}}'.format
    fails: Case = {
        requests("shop-shop-8080", "200"): Counter(600, 0),
        requests("shop-shop-8080", "503"): Counter(0, 600),
    }
    refuses: Case = {
        requests("shop-shop-8080", "200"): Counter(600, 0),
        requests("shop-shop-8080", "404"): Counter(0, 600),
    }
    other: Case = {
        requests("shop-shop-8080", "200"): Counter(600, 600),
        requests("blog-blog-8080", "503"): Counter(0, 600),
    }
    minutes = [False] * 60 + [True] * 30 + [False] * 60
    scenarios = [
        _test(fails, minutes, {60: {firing: 0}, 75: {firing: 1}, 89: {firing: 1}, 149: {firing: 0}}),
        *(_test(case, minutes, {75: {firing: 0}, 89: {firing: 0}}) for case in (refuses, other)),
    ]
    _run_tests(tmp_path, _group_of(alert, rules), scenarios)


def test_the_dead_mans_switch_always_fires(tmp_path: Path) -> None:
    firing = 'count(ALERTS{alertname="Watchdog",alertstate="firing"})'
    _run_tests(tmp_path, _group_of("Watchdog"), [_test({}, [False] * 3, {2: {firing: 1}})])


def _shown(case: Case, minutes: Minutes) -> Case:
    return {name: values for name, values in case.items() if not isinstance(values, Counter) or any(values(minutes))}


def _slow_burn(slo: Slo) -> tuple[Minutes, int]:
    """Return minutes of which so many are bad that the day's budget burns, and one at which nothing is bad any more."""
    bad = max(1, round(600 * slo.budget))
    minutes = [number % PERIOD < bad for number in range(LONGEST + PERIOD)]
    return minutes, LONGEST // PERIOD * PERIOD + bad + 45


def _test(case: Case, minutes: Minutes, expected: dict[int, dict[str, int]]) -> dict[str, Any]:
    """Return a promtool test: the value that each expression has at each minute; 0 stands for no result at all."""
    checks = [
        {"expr": expr, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}] if value else []}
        for minute, expressions in expected.items()
        for expr, value in expressions.items()
    ]
    return {
        "interval": "1m",
        "start_timestamp": START,
        "input_series": input_series(case, minutes),
        "promql_expr_test": checks,
    }


def _group_of(alert: str, rules: Mapping[str, Manifest] = RULES) -> Manifest:
    """Return the group with an alert and what it needs, evaluated each minute: the input changes no oftener."""
    groups = (group for spec in rules.values() for group in spec["groups"])
    (found,) = [group for group in groups if alert in {rule.get("alert") for rule in group["rules"]}]
    return {"groups": [{**found, "interval": "1m"}]}


def _run_tests(folder: Path, rules: Manifest, tests: list[dict[str, Any]]) -> None:
    _write(folder / "rules.yaml", rules)
    _write(folder / "tests.yaml", {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests})
    _run("test", "rules", str(folder / "tests.yaml"))


def _minutes(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([smhd])", duration).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return int(number) * {"s": 0, "m": 1, "h": 60, "d": 1440}[unit]


def _write(path: Path, data: Any) -> None:
    path.write_text(yaml.safe_dump(data))


def _run(*arguments: str) -> None:
    result = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr

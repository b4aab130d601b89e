"""Objectives: their burn rates, their rules, and what is no objective."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.health.slo import Slo, burn_alerts, pairs, rule_groups

RATIO = {"good": "rate(good_total[5m])", "total": "rate(all_total[5m])"}


def slo(**settings: Any) -> Slo:
    return Slo.model_validate({"name": "shop-availability", "objective": 99.9, "ratio": RATIO} | settings)


def test_a_month_has_the_burn_rates_of_the_workbook() -> None:
    assert [pair.rate for pair in pairs(slo(), 30)] == [14.4, 6, 3, 1]
    critical, warning = burn_alerts(slo(), 30)
    assert (critical.severity, warning.severity) == ("critical", "warning")
    assert 'slo:bad:ratio_1h{slo="shop-availability"} > 0.0144' in critical.expr
    assert 'slo:bad:ratio_5m{slo="shop-availability"} > 0.0144' in critical.expr


@pytest.mark.parametrize(("days", "windows"), [(3, [1, 6, 24, 72]), (2, [1, 6]), (1, [1])])
def test_a_short_window_has_no_alert_that_comes_when_its_budget_is_spent(days: int, windows: list[int]) -> None:
    assert [pair.long for pair in pairs(slo(), days)] == windows


def test_no_alert_waits_for_more_than_everything_to_be_bad() -> None:
    modest = slo(objective=90)
    assert [pair.long for pair in pairs(modest, 30)] == [6, 24, 72], "14.4 times a tenth is more than all"


def test_only_the_windows_that_alerts_need_are_recorded() -> None:
    often, rarely = rule_groups("shop", slo(), 7, "https://runbooks.example.org")
    recorded = [rule["record"] for rule in often["rules"] if "record" in rule]
    assert recorded == [
        "slo:bad:rate5m",
        "slo:total:rate5m",
        *(f"slo:bad:ratio_{window}" for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d")),
    ]
    assert [rule["record"] for rule in rarely["rules"]] == [
        "slo:bad:ratio_window",
        "slo:objective:ratio",
        "slo:error_budget:remaining",
    ]
    assert {rule["labels"]["slo"] for rule in (*often["rules"], *rarely["rules"])} == {"shop-availability"}


def test_a_latency_counts_what_is_in_the_bucket_of_its_threshold() -> None:
    fast = slo(ratio=None, latency={"histogram": "took_seconds", "selector": 'app="shop"', "threshold_seconds": 0.3})
    assert fast.indicator.good == 'rate(took_seconds_bucket{app="shop",le="0.3"}[5m])'
    assert fast.indicator.total == 'rate(took_seconds_count{app="shop"}[5m])'
    whole = slo(ratio=None, latency={"histogram": "took_seconds", "threshold_seconds": 5})
    assert 'le=~"5([.]0)?"' in whole.indicator.good, "Prometheus 3 writes 5.0"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"objective": 100.0}, "must be above 0 and below 100 .percent., found 100; all of it leaves no error budget"),
        ({"objective": 0.0}, "found 0"),
        ({"objective": 100.5}, "found 100.5"),
        ({"ratio": None}, "'shop-availability' needs either ratio or latency"),
        ({"latency": {"histogram": "took_seconds", "threshold_seconds": 1}}, "needs either ratio or latency"),
        ({"ratio": {"good": "rate(good_total[5m)", "total": "1"}}, "is no PromQL"),
        ({"latency": {"histogram": "took-seconds", "threshold_seconds": 1}, "ratio": None}, "the name of a metric"),
        ({"runbook": "Look here"}, "a page of docs/runbooks"),
    ],
)
def test_what_is_no_objective_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        slo(**settings)


def test_an_alert_on_a_burn_needs_both_windows_and_waits_as_its_severity_says() -> None:
    critical, warning = burn_alerts(slo(), 30)
    assert (critical.hold, warning.hold) == ("2m", "15m")
    assert (critical.name, critical.runbook) == ("ShopAvailabilityBudgetBurn", "error-budget-burn")
    bad = 'slo:bad:ratio_{}{{slo="shop-availability"}} > {}'
    assert critical.expr == (
        f"({bad.format('1h', '0.0144')} and {bad.format('5m', '0.0144')})"
        f" or ({bad.format('6h', '0.006')} and {bad.format('30m', '0.006')})"
    )
    assert warning.expr == (
        f"({bad.format('1d', '0.003')} and {bad.format('2h', '0.003')})"
        f" or ({bad.format('3d', '0.001')} and {bad.format('6h', '0.001')})"
    )


def test_what_is_recorded_of_an_objective() -> None:
    often, rarely = rule_groups("shop", slo(), 7, "https://runbooks.example.org")
    assert (often["name"], often["interval"]) == ("slo-shop-availability", "1m")
    assert (rarely["name"], rarely["interval"]) == ("slo-shop-availability-window", "5m")
    records = {rule["record"]: rule["expr"] for rule in (*often["rules"], *rarely["rules"]) if "record" in rule}
    total = "sum(rate(all_total[5m]))"
    share = '{}_over_time(slo:{}:rate5m{{slo="shop-availability"}}[{}])'
    assert records["slo:total:rate5m"] == total
    assert records["slo:bad:rate5m"] == f"clamp_min({total} - (sum(rate(good_total[5m])) or 0 * {total}), 0)"
    for name, window, samples in (("1h", "1h", 60), ("5m", "5m", 5), ("window", "7d", 10080)):
        bad, total = share.format("sum", "bad", window), share.format("avg", "total", window)
        assert records[f"slo:bad:ratio_{name}"] == f"{bad} / ({total} * {samples} > 0)"
    assert records["slo:objective:ratio"] == "vector(0.999)"
    left = '1 - slo:bad:ratio_window{slo="shop-availability"} / 0.001'
    assert records["slo:error_budget:remaining"] == left
    assert {rule["labels"]["service"] for rule in (*often["rules"], *rarely["rules"])} == {"shop"}

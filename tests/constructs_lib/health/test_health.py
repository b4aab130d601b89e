"""Alerts as rules, and the dashboard of a service."""

from __future__ import annotations

import pytest

from constructs_lib.health import Alert, Health, Ratio, Row, Slo, Variable, budget_left, stat
from constructs_lib.health.promql import _check  # pyright: ignore[reportPrivateUsage]

ALERT = Alert(name="ShopDown", expr="up == 0", summary="The shop is closed.", runbook="shop")
SLO = Slo(name="shop-availability", objective=99.9, ratio=Ratio(good="up", total="up"))
NOW, ROW = (stat("Up", "sum(up)"),), Row("More", (stat("Down", "count(up == 0)"),))


def test_an_alert_waits_five_minutes_and_can_wait_until_the_morning() -> None:
    assert ALERT.rule("shop", "https://runbooks.example.org", slo="shop-availability") == {
        "alert": "ShopDown",
        "expr": "up == 0",
        "for": "5m",
        "labels": {"severity": "warning", "service": "shop", "slo": "shop-availability"},
        "annotations": {"summary": "The shop is closed.", "runbook_url": "https://runbooks.example.org/shop.md"},
    }


def test_an_alert_waits_as_long_as_it_says() -> None:
    alert = Alert(name="X", expr="up", summary="x", runbook="x", hold="1h", severity="critical")
    rule = alert.rule("shop", "https://runbooks.example.org")
    assert (rule["for"], rule["labels"]["severity"]) == ("1h", "critical")


def test_a_runbook_may_be_elsewhere() -> None:
    alert = Alert(name="X", expr="up", summary="x", runbook="https://example.org/x")
    assert alert.rule("shop", "https://runbooks.example.org")["annotations"]["runbook_url"] == "https://example.org/x"


def test_the_dashboard_of_a_service_begins_with_its_own_objectives() -> None:
    choice = Variable("pod", "label_values(up, pod)")
    page = Health("shop-page", "Shop", (SLO,), (ALERT,), NOW, (ROW,), (choice,)).dashboard("shop")
    assert (page.uid, page.title, page.variables) == ("shop-page", "Shop", (choice,))
    objectives, now, more = page.rows
    assert (objectives.title, now, more) == ("Objectives", Row("Now", NOW), ROW)
    assert [query.expr for panel in objectives.panels for query in panel.queries] == [
        'slo:error_budget:remaining{service="shop"}',
        'slo:bad:ratio_1h{service="shop"}',
    ]
    assert sum(panel.width for panel in objectives.panels) == 24


def test_what_is_left_of_a_budget_turns_red_when_it_is_spent() -> None:
    panel = budget_left()
    assert (panel.kind, panel.unit, panel.width) == ("stat", "percentunit", 24)
    assert panel.steps == ((0, "red"), (0.25, "orange"), (0.5, "green"))


def test_what_is_no_query_is_refused_with_what_was_found() -> None:
    assert _check("up == 0") == "up == 0"
    with pytest.raises(ValueError, match=r"is no PromQL \(.*\), found 'up =='"):
        _check("up ==")

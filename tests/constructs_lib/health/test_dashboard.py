"""Dashboards: what Grafana gets, and how panels are placed."""

from __future__ import annotations

import json

from constructs_lib.health import Dashboard, Position, Query, Row, Variable, graph, placed, stat, table
from constructs_lib.health.grafana import config_map, dashboard_json

PAGE = Dashboard(
    "shop",
    "Shop",
    (
        Row("Now", (stat("Up", "up", steps=((0, "red"), (1, "green"))), table("Orders", "orders", width=20))),
        Row("Later", (graph("Rate", "rate(orders[$__rate_interval])", "{{app}}", "reqps"),)),
    ),
    (Variable("app", "label_values(orders, app)"),),
)


def test_panels_go_from_left_to_right_and_never_overlap() -> None:
    places = {item.title: place for item, place in placed(PAGE)}
    assert places == {
        "Now": Position(0, 0, 24, 1),
        "Up": Position(0, 1, 4, 4),
        "Orders": Position(4, 1, 20, 8),
        "Later": Position(0, 9, 24, 1),
        "Rate": Position(0, 10, 8, 7),
    }


def test_a_row_is_as_high_as_its_highest_panel() -> None:
    mixed = Dashboard("x", "X", (Row("A", (table("High", "up"), stat("Low", "up"))), Row("B", (stat("Next", "up"),))))
    assert [place.y for item, place in placed(mixed) if item.title in ("B", "Next")] == [9, 10]


def test_grafana_finds_a_dashboard_in_its_folder_and_shows_six_hours() -> None:
    item = config_map(PAGE, "here")
    assert item["metadata"] == {
        "name": "dashboard-shop",
        "namespace": "here",
        "labels": {"grafana_dashboard": "1"},
        "annotations": {"grafana_folder": "Platform"},
    }
    model = json.loads(item["data"]["shop.json"])
    assert (model["time"], model["refresh"]) == ({"from": "now-6h", "to": "now"}, "1m")
    assert model["tags"] == ["platform"]


def test_a_query_as_prometheus_could_run_it() -> None:
    assert Query("rate(orders[$__rate_interval])").plain == "rate(orders[5m])"


def test_a_line_that_is_full_is_followed_by_another() -> None:
    wide = Dashboard("x", "X", (Row("Row", tuple(graph(str(number), "up", width=10) for number in range(3))),))
    assert [place[:2] for _, place in placed(wide)] == [(0, 0), (0, 1), (10, 1), (0, 8)]


def test_grafana_gets_queries_units_steps_and_choices() -> None:
    model = json.loads(dashboard_json(PAGE))
    assert (model["uid"], model["title"], model["editable"]) == ("shop", "Shop", False)
    up, orders, rate = (panel for panel in model["panels"] if panel["type"] != "row")
    assert [step["color"] for step in up["fieldConfig"]["defaults"]["thresholds"]["steps"]] == ["red", "green"]
    assert up["targets"][0]["instant"]
    assert orders["targets"][0]["format"] == "table"
    assert rate["fieldConfig"]["defaults"]["unit"] == "reqps"
    (target,) = rate["targets"]
    assert (target["expr"], target["legendFormat"]) == ("rate(orders[$__rate_interval])", "{{app}}")
    source, app = model["templating"]["list"]
    assert (source["name"], app["name"]) == ("datasource", "app")
    assert (app["includeAll"], app["multi"], app["refresh"]) == (True, True, 2), "of the time that is shown, and all"
    assert {panel["datasource"]["uid"] for panel in (up, orders, rate)} == {"${datasource}"}

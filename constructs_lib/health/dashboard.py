"""Dashboards as data: rows of panels with queries. `grafana.py` turns them into what Grafana reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

WIDTH = 24
"""Columns of Grafana's grid."""

Steps = tuple[tuple[float, Literal["green", "orange", "red"]], ...]
"""Colors, each from a value on."""

NONE_IS_GOOD: Steps = ((0, "green"), (1, "red"))


class Query(NamedTuple):
    """PromQL, and the legend of its series in Grafana's templates."""

    expr: str
    legend: str = ""

    @property
    def plain(self) -> str:
        """The query as Prometheus could run it, with a value in place of Grafana's own interval."""
        return self.expr.replace("$__rate_interval", "5m")


@dataclass(frozen=True)
class Panel:
    """A panel; `unit` is one of Grafana's ids, `width` counts columns of 24 and `height` rows of Grafana's grid."""

    title: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat", "table"] = "timeseries"
    unit: str = "short"
    steps: Steps = ()
    width: int = 8
    height: int = 7
    description: str = ""


@dataclass(frozen=True)
class Row:
    """Panels under a title."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the top, from the values that `query` (Grafana: label_values) finds."""

    name: str
    query: str


@dataclass(frozen=True)
class Dashboard:
    """A dashboard. Every query goes to the data source that its reader chooses."""

    uid: str
    title: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()

    @property
    def panels(self) -> Iterator[Panel]:
        """All panels."""
        return (panel for row in self.rows for panel in row.panels)


class Position(NamedTuple):
    """Where something is on the grid, in columns and rows of it."""

    x: int
    y: int
    width: int
    height: int


def placed(dashboard: Dashboard) -> Iterator[tuple[Row | Panel, Position]]:
    """Yield rows and panels with their places: left to right, and on to the next line where the width ends."""
    y = 0
    for row in dashboard.rows:
        yield row, Position(0, y, WIDTH, 1)
        x, y, line = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, line = 0, y + line, 0
            yield panel, Position(x, y, panel.width, panel.height)
            x, line = x + panel.width, max(line, panel.height)
        y += line


def graph(title: str, expr: str, legend: str = "", unit: str = "short", *, width: int = 8) -> Panel:
    """Return a panel that shows one query over time."""
    return Panel(title, (Query(expr, legend),), unit=unit, width=width)


def stat(title: str, expr: str, unit: str = "short", *, steps: Steps = ()) -> Panel:
    """Return a panel that shows the last value of one query."""
    return Panel(title, (Query(expr),), kind="stat", unit=unit, steps=steps, width=4, height=4)


def table(title: str, expr: str, unit: str = "short", *, width: int = 12, height: int = 8) -> Panel:
    """Return a panel that lists the series of one query with their labels."""
    return Panel(title, (Query(expr),), kind="table", unit=unit, width=width, height=height)


def budget_left(selector: str = "", *, width: int = WIDTH, height: int = 8) -> Panel:
    """Return the panel on what is left of the error budgets that `selector` (PromQL) chooses."""
    left = Query(f"slo:error_budget:remaining{selector}", "{{slo}}")
    steps: Steps = ((0, "red"), (0.25, "orange"), (0.5, "green"))
    return Panel("Error budget left", (left,), "stat", "percentunit", steps, width, height)

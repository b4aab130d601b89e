"""Dashboards as Grafana reads them, by the Grafana Foundation SDK (schema of Grafana 11.6, which later ones migrate).

The Grafana chart's sidecar loads each ConfigMap with its label (grafana-community/helm-charts grafana-12.11.1
`values.yaml`, sidecar.dashboards).
"""

from __future__ import annotations

import json
from functools import cache

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueColorMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from pydantic_core import to_json

from constructs_lib.health.dashboard import Dashboard, Panel, Position, Query, Row, Variable, placed
from constructs_lib.kit import Manifest, manifest

LABEL = {"grafana_dashboard": "1"}
FOLDER = "grafana_folder"
TAG = "platform"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
AnyPanel = timeseries.Panel | stat.Panel | table.Panel


def config_map(dashboard: Dashboard, namespace: str) -> Manifest:
    """Return the ConfigMap from which the sidecar of Grafana's chart loads a dashboard."""
    item = manifest("v1", "ConfigMap", f"dashboard-{dashboard.uid}", namespace)
    item["metadata"] |= {"labels": LABEL, "annotations": {FOLDER: "Platform"}}
    return {**item, "data": {f"{dashboard.uid}.json": dashboard_json(dashboard)}}


@cache
def dashboard_json(dashboard: Dashboard) -> str:
    """Return a dashboard's JSON model."""
    built = (
        grafana.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .tags([TAG])
        .readonly()
        .refresh("1m")
        .time("now-6h", "now")
        .with_variable(grafana.DatasourceVariable("datasource").type("prometheus").label("Data source"))
        .link(grafana.DashboardLink("Platform").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True))
    )
    for variable in dashboard.variables:
        built = built.with_variable(_variable(variable))
    for item, place in placed(dashboard):
        if isinstance(item, Row):
            built = built.with_row(grafana.Row(item.title).grid_pos(_position(place)))
        else:
            built = built.with_panel(_panel(item, place))
    # json itself indents in Python, which takes ten times as long.
    plain = json.loads(JSONEncoder(sort_keys=True).encode(built.build()))
    return to_json(plain, indent=2).decode() + "\n"


def _variable(variable: Variable) -> grafana.QueryVariable:
    return (
        grafana.QueryVariable(variable.name)
        .datasource(SOURCE)
        .query(variable.query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .multi(True)
    )


def _panel(panel: Panel, place: Position) -> AnyPanel:
    built = _kind(panel).title(panel.title).unit(panel.unit).datasource(SOURCE).grid_pos(_position(place))
    if panel.description:
        built = built.description(panel.description)
    if panel.steps:
        built = built.thresholds(_thresholds(panel))
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        built = built.with_target(_target(query, letter, panel))
    return built


def _kind(panel: Panel) -> AnyPanel:
    match panel.kind:
        case "stat":
            last = common.ReduceDataOptions().calcs(["lastNotNull"])
            mode = BigValueColorMode.BACKGROUND if panel.steps else BigValueColorMode.VALUE
            return stat.Panel().reduce_options(last).color_mode(mode)
        case "table":
            return table.Panel()
        case "timeseries":
            legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
            return timeseries.Panel().legend(legend)


def _target(query: Query, letter: str, panel: Panel) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter)
    if panel.kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.instant() if panel.kind == "stat" else target.range()


def _thresholds(panel: Panel) -> grafana.ThresholdsConfig:
    (_, lowest), *others = panel.steps
    steps = [Threshold(value=None, color=lowest), *(Threshold(value=bound, color=color) for bound, color in others)]
    return grafana.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _position(place: Position) -> GridPos:
    return GridPos(x=place.x, y=place.y, w=place.width, h=place.height)

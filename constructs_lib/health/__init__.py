"""The words in which a component says how its health is known: objectives, alerts, panels."""

from constructs_lib.health.alert import Alert, Severity
from constructs_lib.health.common import (
    POD,
    Selection,
    available_pods,
    deployment_down,
    operator_availability,
    pod_row,
    ready_pods,
    volume_panel,
    while_true,
)
from constructs_lib.health.dashboard import (
    NONE_IS_GOOD,
    Dashboard,
    Panel,
    Position,
    Query,
    Row,
    Steps,
    Variable,
    budget_left,
    graph,
    placed,
    stat,
    table,
)
from constructs_lib.health.health import Health
from constructs_lib.health.promql import PromQL
from constructs_lib.health.slo import AdditionalSlo, Latency, Percent, Ratio, Slo, rule_groups

__all__ = [
    "NONE_IS_GOOD",
    "POD",
    "AdditionalSlo",
    "Alert",
    "Dashboard",
    "Health",
    "Latency",
    "Panel",
    "Percent",
    "Position",
    "PromQL",
    "Query",
    "Ratio",
    "Row",
    "Selection",
    "Severity",
    "Slo",
    "Steps",
    "Variable",
    "available_pods",
    "budget_left",
    "deployment_down",
    "graph",
    "operator_availability",
    "placed",
    "pod_row",
    "ready_pods",
    "rule_groups",
    "stat",
    "table",
    "volume_panel",
    "while_true",
]

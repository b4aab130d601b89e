"""What a component knows about its own health: objectives, alerts and a dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from constructs_lib.health.alert import Alert
from constructs_lib.health.dashboard import Dashboard, Panel, Query, Row, Variable, budget_left
from constructs_lib.health.slo import Slo


@dataclass(frozen=True)
class Health:
    """The objectives, further alerts and dashboard of a service. The platform knows it by its component's key.

    `now` are the panels that the overview shows too, `rows` what follows them on the service's own dashboard.
    """

    uid: str
    title: str
    slos: tuple[Slo, ...]
    alerts: tuple[Alert, ...]
    now: tuple[Panel, ...]
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()

    def dashboard(self, service: str) -> Dashboard:
        """Return the dashboard of the service with this key."""
        rows = (_objectives(service), Row("Now", self.now), *self.rows)
        return Dashboard(self.uid, self.title, rows, self.variables)


def _objectives(service: str) -> Row:
    """Return what is left of a service's budgets, and how fast they burn."""
    of_service = f'{{service="{service}"}}'
    burnt = Query(f"slo:bad:ratio_1h{of_service}", "{{slo}}")
    bad = Panel("Bad in the last hour", (burnt,), unit="percentunit", width=16, height=6)
    return Row("Objectives", (budget_left(of_service, width=8, height=6), bad))

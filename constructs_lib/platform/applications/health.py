"""What is known about an application's health from outside of it: its objectives, and a dashboard.

Upstream: traefik/traefik v3.7 `pkg/provider/kubernetes/ingress/kubernetes.go` (a service is called
`<namespace>-<Service>-<port>@kubernetes`), `docs/content/reference/install-configuration/observability/metrics.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.applications import Application
from constructs_lib.health import Dashboard, Latency, Panel, Query, Ratio, Row, Slo, budget_left, graph, pod_row
from constructs_lib.health.common import volume_panel

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

REQUESTS = "traefik_service_requests_total"
DURATION = "traefik_service_request_duration_seconds"


def objectives(app: Application) -> Iterator[Slo]:
    """Yield the objectives that an application sets itself, measured where Traefik lets requests in."""
    if app.slo is None or not app.public:
        return
    chosen = selector(app)
    if app.slo.availability is not None:
        good, total = (f"rate({REQUESTS}{{{labels}}}[5m])" for labels in (f'{chosen},code!~"5.."', chosen))
        ratio = Ratio(good=good, total=total)
        yield Slo(name=f"app-{app.name}-availability", objective=app.slo.availability, ratio=ratio)
    if app.slo.latency is not None:
        within = Latency(
            histogram=DURATION, selector=f'{chosen},protocol="http"', threshold_seconds=app.slo.latency.seconds
        )
        yield Slo(name=f"app-{app.name}-latency", objective=app.slo.latency.percent, latency=within)


def selector(app: Application) -> str:
    """Return the label by which Prometheus knows the services behind its public hosts: its own took the name."""
    services = sorted({f"{app.name}-{host.service or app.name}-{host.port}" for host in app.public.values()})
    return f'exported_service=~"({"|".join(services)})@kubernetes"'


def dashboards(env: Environment) -> Iterator[Dashboard]:
    """Yield a page for each application."""
    for app in env.applications.values():
        yield Dashboard(f"app-{app.name}", f"Application {app.name} ({app.owner})", tuple(_rows(app)))


def _rows(app: Application) -> Iterator[Row]:
    if list(objectives(app)):
        yield Row("Objectives", (budget_left(f'{{service="{app.name}"}}', height=6),))
    if app.public:
        chosen = selector(app)
        by_code = f"sum by (code) (rate({REQUESTS}{{{chosen}}}[$__rate_interval]))"
        yield Row("Requests", (graph("By code", by_code, "{{code}}", "reqps", width=12), _latency(chosen)))
    pods = pod_row(app.name)
    yield Row(pods.title, (*pods.panels, volume_panel(app.name)))


def _latency(chosen: str) -> Panel:
    buckets = f"sum by (le) (rate({DURATION}_bucket{{{chosen}}}[$__rate_interval]))"
    queries = (Query(f"histogram_quantile({value}, {buckets})", f"{value:.0%}") for value in (0.5, 0.9, 0.99))
    return Panel("Latency", tuple(queries), unit="s", width=12)

"""Objectives, alerts and dashboards in the cluster: what Prometheus evaluates, Grafana shows and Flux reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from constructs_lib.health import Dashboard, Health, rule_groups
from constructs_lib.health.grafana import config_map
from constructs_lib.kit import FLUX_CONTROLLERS, FLUX_OPERATOR, Manifest, manifest
from constructs_lib.platform.applications import health as app_health
from constructs_lib.platform.observability.alerting import OWNER, flux_notifications, runbooks
from constructs_lib.platform.observability.dashboards import applications, budgets, overview
from constructs_lib.platform.observability.names import AGENT, COLLECTOR_METRICS, GATEWAY, NAMESPACE
from constructs_lib.platform.observability.slos import days, health
from constructs_lib.platform.scrape import MONITORING, pod_monitor

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


def objects(env: Environment) -> Iterator[Manifest]:
    """Yield everything by which an environment's health is watched. Raises `ConfigError` as `health` does."""
    yield from pod_monitor(env, FLUX_OPERATOR.name, FLUX_OPERATOR, "http-metrics")
    yield from pod_monitor(env, FLUX_CONTROLLERS.name, FLUX_CONTROLLERS, "http-prom")
    yield from pod_monitor(env, GATEWAY.name, GATEWAY, COLLECTOR_METRICS)
    yield from pod_monitor(env, AGENT.name, AGENT, COLLECTOR_METRICS)
    known = health(env)
    yield from rules(env, known)
    for dashboard in dashboards(env, known):
        yield config_map(dashboard, NAMESPACE)
    yield from flux_notifications(env)


def rules(env: Environment, known: Mapping[str, Health]) -> Iterator[Manifest]:
    """Yield the PrometheusRule of each service that is `known`, of additional objectives, and of each application."""
    pages = runbooks(env)
    for service, item in known.items():
        groups = [group for slo in item.slos for group in rule_groups(service, slo, days(env, slo), pages)]
        alerts = [alert.rule(service, pages) for alert in item.alerts]
        if alerts:
            groups.append({"name": f"{item.uid}-alerts", "rules": alerts})
        yield _rule(item.uid, groups)
    additional = env.platform.observability.slos.additional
    if additional:
        groups = [group for slo in additional for group in rule_groups(slo.service, slo, days(env, slo), pages)]
        yield _rule("additional", groups)
    for app in env.applications.values():
        own = app_health.objectives(app) if env.platform.traefik.enabled else ()
        groups = [group for slo in own for group in rule_groups(app.name, slo, days(env, slo), pages)]
        if groups:
            yield _rule(f"app-{app.name}", [_owned(app.owner, group) for group in groups])


def _owned(owner: str, group: Manifest) -> Manifest:
    """Return a group whose alerts say who answers for them, by which they are routed."""
    rules = [{**one, "labels": {**one["labels"], OWNER: owner}} if "alert" in one else one for one in group["rules"]]
    return {**group, "rules": rules}


def dashboards(env: Environment, known: Mapping[str, Health]) -> list[Dashboard]:
    """Return the overview, the error budgets, pages of services and applications, and one of traces."""
    pages = [overview(known.values()), budgets(), *(item.dashboard(service) for service, item in known.items())]
    pages += app_health.dashboards(env)
    return [*pages, applications()] if env.platform.observability.traces.backend != "none" else pages


def _rule(name: str, groups: list[Manifest]) -> Manifest:
    return manifest(MONITORING, "PrometheusRule", f"slo-{name}", NAMESPACE, spec={"groups": groups})

"""What Flux shows when its objective or an alert must notice, and when not."""

from __future__ import annotations

from tests.constructs_lib.health.series import Case, critical, gauge, objective, warning

LABELS = 'name="databases",exported_namespace="flux-system",reason="HealthCheckFailed"'


def flux(kind: str, name: str, suspended: str = "False") -> Case:
    """Return a resource of Flux that is ready or failed; its series changes its label."""
    labels = f'kind="{kind}",name="{name}",exported_namespace="flux-system",suspended="{suspended}"'
    return {
        f'flux_resource_info{{{labels},ready="True"}}': gauge(1, None),
        f'flux_resource_info{{{labels},ready="False",reason="HealthCheckFailed"}}': gauge(None, 1),
    }


SOURCE = {'flux_resource_info{kind="GitRepository",name="x",suspended="False",ready="False"}': gauge(1, 1)}
"""A source that failed: what needs it says so itself."""
IN_PROGRESS = {'flux_resource_info{kind="HelmRelease",name="y",suspended="False",ready="Unknown"}': gauge(1, 1)}

SLOS = {
    "flux-reconciliation": objective(
        99.0, {**flux("Kustomization", "databases"), **flux("HelmRelease", "traefik"), **SOURCE, **IN_PROGRESS}
    ),
}
ALERTS = {
    "FluxDown": critical("15m", {'flux_instance_info{name="flux",ready="True"}': gauge(1, None)}),
    "FluxResourceNotReady": warning(
        "20m", {**flux("Kustomization", "databases"), **SOURCE, **IN_PROGRESS}, flux("HelmRelease", "traefik")
    ),
    "FluxResourceSuspended": warning(
        "1d", {f'flux_resource_info{{{LABELS},kind="Kustomization",suspended="True",ready="True"}}': gauge(None, 1)}
    ),
}

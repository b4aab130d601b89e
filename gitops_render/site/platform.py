"""The picture of the platform: from an environment's file to what runs, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.applications import Application
from constructs_lib.base.stacks import StackKind
from constructs_lib.environment import Environment
from gitops_render.layers import flux_layers
from gitops_render.site.drawing import Box, Column, columns

USED = {
    "postgres": "cloudnative_pg",
    "rabbitmq": "rabbitmq_operator",
    "valkey": "valkey_operator",
    "vault": "vault_eso",
    "secrets": "vault_eso",
}
"""The component behind each key of an application's `uses`."""


def platform(env: Environment) -> str:
    """Return how `env` comes to be: its file, what is made of it, what runs, and the applications."""
    tree = Box("GitOps repository", (f"{len(flux_layers(env))} layers, in order",))
    file = Box(f"{env.name}.yaml", (f"tier {env.tier}", f"region {env.region}", env.domain))
    made = (*(Box(env.stack(kind), tuple(_contents(env, kind))) for kind in env.stacks), tree)
    running = {name: Box(name, tuple(_inside(env, name))) for name in env.platform.enabled}
    apps = {name: Box(name, ("an application", f"of {app.owner}")) for name, app in env.applications.items()}
    parts = (
        Column("you write", (file,)),
        Column("is made", made),
        Column("runs", tuple(running.values())),
        Column("uses it", tuple(apps.values())),
    )
    arrows = [(file, box) for box in made] + [(tree, box) for box in running.values()]
    arrows += [
        (box, apps[app.name])
        for app in env.applications.values()
        for name, box in running.items()
        if name in _uses(app)
    ]
    return columns(f"The platform, as {env.name} has it", [part for part in parts if part.boxes], arrows)


def _contents(env: Environment, kind: StackKind) -> Iterator[str]:
    match kind:
        case StackKind.STATE:
            yield from (f"bucket for {purpose}" for purpose in env.buckets)
        case StackKind.CLUSTER:
            pools = env.doks.pools.items()
            yield from (f"{name}: {pool.min_nodes} to {pool.max_nodes} {pool.size}" for name, pool in pools)
        case StackKind.FLUX:
            yield "Flux, which follows"
        case StackKind.DNS:
            yield f"records of {env.domain}"
        case StackKind.PLATFORM:
            yield "the platform, by OpenTofu"


def _inside(env: Environment, name: str) -> Iterator[str]:
    """Yield what a component installs: its charts, and its clusters with their number."""
    component = env.platform.enabled[name]
    charts = [release.chart.name for layer in component.layers(env) for release in layer.releases]
    yield from dict.fromkeys(charts)
    clusters = [cluster.name for cluster in getattr(component, "clusters", ())]
    if clusters:
        yield f"clusters: {', '.join(clusters)}"


def _uses(app: Application) -> set[str]:
    """Return the components that an application uses: what it names, its way in and its telemetry."""
    named = {component for key, component in USED.items() if getattr(app.uses, key)}
    return {"observability", *(["traefik"] if app.public else []), *named}

"""The pictures of an environment: its layers, who talks to whom, who hears of alerts, and what fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import ceil, floor

from constructs_lib.environment import Environment
from constructs_lib.environment.capacity import Place, places
from constructs_lib.environment.fitting import UNITS, amount
from constructs_lib.kit import ANYWHERE, Outside, Pods
from gitops_render.graph import direct
from gitops_render.layers import flux_layers
from gitops_render.site.drawing import Bar, Box, Column, bars, columns, matrix
from gitops_render.site.platform import platform

ROUTES = {
    "critical": "cannot wait",
    "warning": "can wait until the morning",
    "heartbeat": "each minute, or all is dead",
}
NOBODY = Box("nobody", ("it stays in Alertmanager",))


def layers(env: Environment) -> str:
    """Return the layers of `env`, each in a column right of all that it waits for."""
    waits = {layer.name: layer.after for layer in flux_layers(env)}

    @cache
    def rank(name: str) -> int:
        return 1 + max(map(rank, waits[name]), default=-1)

    by_rank: dict[int, list[Box]] = defaultdict(list)
    for name in sorted(waits):
        by_rank[rank(name)].append(Box(name))
    arrows = [(Box(needed), Box(name)) for name in waits for needed in direct(waits, name)]
    return columns(f"The layers of {env.name}", [Column("", tuple(by_rank[one])) for one in sorted(by_rank)], arrows)


def links(env: Environment) -> str:
    """Return which namespace of `env` talks to which, and to what outside: a row to a column."""
    found = {(_end(link.source), _end(link.target)) for link in env.platform.links(env)}
    sources, targets = (sorted({pair[side] for pair in found}, key=_pods_first) for side in (0, 1))
    return matrix(f"Who talks to whom in {env.name}: from a row to a column", sources, targets, found)


def _pods_first(end: str) -> tuple[bool, str]:
    return end.startswith("("), end


def _end(end: Pods | Outside) -> str:
    if isinstance(end, Pods):
        return end.namespace
    return f"({'anybody' if end == ANYWHERE else end.name or ' '.join(end.ranges)})"


def alerts(env: Environment) -> str:
    """Return who in `env` hears of which alerts."""
    alerting = env.platform.observability.alerting
    routes = {severity: Box(severity, (said,)) for severity, said in ROUTES.items()}
    receivers = {one.name: Box(one.name, (one.type,)) for one in alerting.receivers}
    arrows = [(box, receivers[name]) for severity, box in routes.items() for name in getattr(alerting, severity)]
    parts = [Column("an alert", tuple(routes.values())), Column("is told to", tuple(receivers.values()) or (NOBODY,))]
    return columns(f"Who hears of what in {env.name}", parts, arrows)


def capacity(env: Environment) -> str:
    """Return what the pods of `env` ask for of what its pools have at most; a mark shows what they have at least."""
    found = [bar for place in places(env) for bar in _bars(place)]
    return bars(f"What pods of {env.name} ask for of what the pools have", found)


def _bars(place: Place) -> Iterator[Bar]:
    if not place.rooms:
        return
    asked, least, most = place.asked, place.room(place.least), place.room(place.most)
    for unit, (name, _) in UNITS.items():
        used, has = getattr(asked, unit), getattr(most, unit)
        said = f"{amount(unit, used, ceil)} of {amount(unit, has, floor)}"
        yield Bar(f"{place.name}: {name}", used, getattr(least, unit), has, said)


PICTURES: Mapping[str, tuple[Callable[[Environment], str], str]] = {
    "platform": (platform, "From the file to what runs, and who uses it."),
    "layers": (layers, "Each layer waits for those whose arrows lead to it."),
    "links": (links, "A dot is a way from the namespace of its row to that of its column; all others are closed."),
    "alerts": (alerts, "Who hears of which alerts."),
    "capacity": (capacity, "What pods ask for, of what the pools have at most; the mark is what they have at least."),
}
"""The pictures by their names, each with what it shows."""

"""The tiers of an environment and what each waits for, as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import yaml

from constructs_lib.environment import Environment
from gitops_render.tree import render

Graph = dict[str, tuple[str, ...]]
"""What each tier waits for."""


def graph(env: Environment) -> Graph:
    """Return the tiers that Flux reads, with what they wait for, less what another dependency implies."""
    tiers = (
        yaml.load(data, yaml.CSafeLoader)
        for path, data in render(env).owned.items()
        if path.parent.name == "tiers" and path.name != "kustomization.yaml"
    )
    waits = {
        tier["metadata"]["name"]: tuple(needed["name"] for needed in tier["spec"].get("dependsOn", ()))
        for tier in tiers
    }
    return {name: _direct(waits, name) for name in sorted(waits)}


def _direct(waits: Graph, name: str) -> tuple[str, ...]:
    implied = {far for needed in waits[name] for far in _upstream(waits, needed)}
    return tuple(sorted(set(waits[name]) - implied))


def _upstream(waits: Graph, name: str) -> set[str]:
    return set(waits[name]).union(*(_upstream(waits, needed) for needed in waits[name]))


def to_mermaid(waits: Graph) -> str:
    """Return the flowchart, its tiers grouped by area."""
    return "\n".join(["flowchart LR", *_areas(waits), *_arrows(waits)])


def _areas(waits: Graph) -> Iterator[str]:
    """The area of a tier is its name without its last word, or the whole name of one with a single word."""
    for area, names in groupby(waits, key=_area):
        yield f"  subgraph {area}"
        yield from (f"    {name}" for name in names)
        yield "  end"


def _area(name: str) -> str:
    for area in ("cert-manager", "external-dns"):
        if name.startswith(f"{area}-"):
            return f"area-{area}"
    return f"area-{name.partition('-')[0]}"


def _arrows(waits: Graph) -> Iterator[str]:
    return (f"  {needed} --> {name}" for name, needs in waits.items() for needed in needs)

"""The layers of an environment and what each waits for, as a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from constructs_lib.environment import Environment
from gitops_render.layers import FluxLayer, flux_layers


def graph(env: Environment) -> str:
    """Return the flowchart of what Flux applies in `env`, grouped by area, less what another dependency implies."""
    return to_mermaid(flux_layers(env))


def to_mermaid(layers: Sequence[FluxLayer]) -> str:
    """Return the flowchart of `layers`."""
    ordered = sorted(layers, key=lambda layer: (layer.area, layer.name))
    return "\n".join(["flowchart LR", *_areas(ordered), *_arrows(ordered)])


def _areas(layers: Sequence[FluxLayer]) -> Iterator[str]:
    for area, inside in groupby(layers, key=lambda layer: layer.area):
        yield f"  subgraph area-{area}"
        yield from (f"    {layer.name}" for layer in inside)
        yield "  end"


def _arrows(layers: Sequence[FluxLayer]) -> Iterator[str]:
    waits = {layer.name: layer.after for layer in layers}
    return (f"  {needed} --> {name}" for name in waits for needed in direct(waits, name))


def direct(waits: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    """Return what `name` waits for and nothing else that it waits for does."""
    implied = {far for needed in waits[name] for far in _upstream(waits, needed)}
    return tuple(sorted(set(waits[name]) - implied))


def _upstream(waits: Mapping[str, Sequence[str]], name: str) -> set[str]:
    return set(waits[name]).union(*(_upstream(waits, needed) for needed in waits[name]))

"""The facts that are committed beside the tests of each component: where they are, and how they read.

`chart_facts.yaml` is written by `make chart-facts`: `releases` holds what every release makes in an environment that
has everything, `differences` what else each of the project's own makes, by path. `operand_facts.yaml` is written by
hand: the pods that operators make, and those of what is installed without a chart, each with its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Manifest, Release
from tests.constructs_lib.platform.collected import COMPONENTS, FOLDER
from tests.support import ROOT, everything, parsed

ABSENT = "absent"
HEADER = "# Written by `make chart-facts`: what the charts make of our values. Do not edit.\n"


def file_of(component: str) -> Path:
    """Return the file with the facts of a component's releases."""
    return FOLDER / component / "chart_facts.yaml"


def committed(component: str) -> Manifest:
    """Return the facts of a component's releases; none where there is no release."""
    path = file_of(component)
    return parsed(path.read_text()) if path.exists() else {"releases": {}, "differences": {}}


def operands(component: str) -> list[Manifest]:
    """Return what is written by hand of the pods that a component's operators make."""
    path = FOLDER / component / "operand_facts.yaml"
    return parsed(path.read_text()) if path.exists() else []


def environments() -> tuple[Environment, ...]:
    """Return the project's own environments, and one with everything on."""
    return (*load_all(ROOT / "environments"), everything())


def releases(component: str, env: Environment) -> Iterator[Release]:
    """Yield the releases of a component that is on."""
    if component in env.platform.enabled:
        yield from (item for layer in env.platform.by_name[component].layers(env) for item in layer.releases)


def facts_in(env: Environment) -> dict[str, Manifest]:
    """Return the facts of every release of an environment, as they are with everything on, by the release's name."""
    names = {item.name for layer in env.layers for item in layer.releases}
    known = {name: facts for component in COMPONENTS for name, facts in committed(component)["releases"].items()}
    return {name: facts for name, facts in known.items() if name in names}


def differences(base: Manifest, other: Manifest) -> Manifest:
    """Return the paths at which `other` is not as `base`, with what is there."""
    left, right = dict(_flat(base)), dict(_flat(other))
    return {path: right.get(path, ABSENT) for path in sorted({*left, *right}) if left.get(path) != right.get(path)}


def text(facts: Manifest) -> str:
    """Return facts as a file: sorted, and a line for each innermost map or list."""
    return HEADER + yaml.safe_dump(facts, default_flow_style=None, sort_keys=True, width=118, allow_unicode=True)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}|{key}" if path else key)
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield from ((f"{path}|{item}", "present") for item in value)
    else:
        yield path, value

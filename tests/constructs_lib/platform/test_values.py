"""Every Helm value that is set exists in its chart at the pinned version.

`<component>/chart_values.json` holds, for each chart and version, the keys that were looked up in the chart's own
`values.yaml` or templates (docs/decisions/0009-chart-values.md). A new key or version fails here until somebody looked
it up. Where `CHARTS` names a folder with the charts themselves (`<name>/values.yaml`), the list is checked against
them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Chart, Release
from tests.constructs_lib.platform.collected import COMPONENTS, looked_up
from tests.support import ROOT, everything

CHARTS = Path(os.environ.get("CHARTS", ROOT.parent / "charts"))


ALL = {chart: known for component in COMPONENTS for chart, known in looked_up(component).items()}


@cache
def environments() -> tuple[Environment, ...]:
    return (*load_all(ROOT / "environments"), everything())


def releases(component: str) -> list[Release]:
    layers = (layer for env in environments() for layer in env.platform.by_name[component].layers(env))
    return [release for layer in layers for release in layer.releases]


def keys(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of every value; what lies in a list belongs to the list."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from keys(value, here)
        else:
            yield here


def problems(component: str, release: Release, looked_up: dict[str, dict[str, Any]]) -> list[str]:
    """Return a sentence for each thing about a release's chart that nobody looked up."""
    chart, file = release.chart, f"tests/constructs_lib/platform/{component}/chart_values.json"
    how = f"see docs/decisions/0009-chart-values.md, which names the tag of {chart.name} {chart.version} too"
    if chart.name not in looked_up:
        return [f"{file}: has no chart '{chart.name}'; look up the values that you set in its values.yaml, {how}"]
    known = looked_up[chart.name]
    if known["version"] != chart.version:
        return [f"{file}: {chart.name} was looked up at {known['version']}, not at {chart.version}; do it again, {how}"]
    found = (*known["keys"], *known.get("free", ()))
    below = tuple(f"{key}." for key in found)
    return [
        f"{file}: {chart.name}: '{key}' was not looked up; find it in its values.yaml, {how}"
        for key in keys(release.values)
        if key not in found and not key.startswith(below)
    ]


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_value_was_looked_up_at_this_version(component: str) -> None:
    known = looked_up(component)
    unknown = {line for release in releases(component) for line in problems(component, release, known)}
    assert not unknown, "\n".join(sorted(unknown))


def test_what_was_not_looked_up_is_a_sentence() -> None:
    release = Release("x", "x", Chart("https://charts.example.org", "x", "1.2.3"), {"a": {"b": 1}, "free": {"c": 1}})
    (absent,) = problems("x", release, {})
    assert absent.startswith("tests/constructs_lib/platform/x/chart_values.json: has no chart 'x'; look up the values")
    (older,) = problems("x", release, {"x": {"version": "1.2.2", "keys": ["a.b"]}})
    assert "was looked up at 1.2.2, not at 1.2.3; do it again" in older
    (unknown,) = problems("x", release, {"x": {"version": "1.2.3", "keys": [], "free": ["free"]}})
    assert "x: 'a.b' was not looked up" in unknown
    assert problems("x", release, {"x": {"version": "1.2.3", "keys": ["a.b"], "free": ["free"]}}) == []


@pytest.mark.skipif(not CHARTS.is_dir(), reason=f"no charts in {CHARTS}; set CHARTS")
@pytest.mark.parametrize("name", sorted(ALL))
def test_what_was_looked_up_is_in_the_chart(name: str) -> None:
    path = CHARTS / name / "values.yaml"
    if not path.exists():
        pytest.skip(f"no {path}")
    values = yaml.safe_load(path.read_text())
    missing = [key for key in ALL[name]["keys"] if not exists(values, key)]
    assert missing == []


def exists(values: Any, key: str) -> bool:
    """Return whether the chart knows a key; below an empty map or null anything goes."""
    for part in key.split("."):
        if values in ({}, None):
            return True
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True

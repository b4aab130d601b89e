"""Every Helm value that is set exists in its chart at the pinned version.

`chart_values.json` holds, for each chart and version, the keys that were looked up in the chart's own `values.yaml` or
templates (docs/decisions/0009-chart-values.md). A new key or version fails here until somebody looked it up. Where
`CHARTS` names a folder with the charts themselves (`<name>/values.yaml`), the list is checked against them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.environment import Environment, load_all
from constructs_lib.kit import Release
from tests.support import ROOT, everything

LOOKED_UP: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "chart_values.json").read_text())
CHARTS = Path(os.environ.get("CHARTS", ROOT.parent / "charts"))


def environments() -> tuple[Environment, ...]:
    return (*load_all(ROOT / "environments"), everything())


def releases() -> list[Release]:
    return [release for env in environments() for layer in env.layers for release in layer.releases]


def keys(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of every value; what lies in a list belongs to the list."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value:
            yield from keys(value, here)
        else:
            yield here


@pytest.mark.parametrize("chart", sorted({release.chart for release in releases()}, key=str), ids=lambda c: c.name)
def test_every_value_was_looked_up_at_this_version(chart: Any) -> None:
    looked_up = LOOKED_UP[chart.name]
    assert looked_up["version"] == chart.version
    known = (*looked_up["keys"], *looked_up.get("free", ()))
    used = {key for release in releases() if release.chart == chart for key in keys(release.values)}
    unknown = {key for key in used if key not in known and not key.startswith(tuple(f"{free}." for free in known))}
    assert unknown == set()


def test_no_chart_is_listed_that_nothing_uses() -> None:
    assert {release.chart.name for release in releases()} == set(LOOKED_UP)


@pytest.mark.skipif(not CHARTS.is_dir(), reason=f"no charts in {CHARTS}; set CHARTS")
@pytest.mark.parametrize("name", sorted(LOOKED_UP))
def test_what_was_looked_up_is_in_the_chart(name: str) -> None:
    path = CHARTS / name / "values.yaml"
    if not path.exists():
        pytest.skip(f"no {path}")
    values = yaml.safe_load(path.read_text())
    missing = [key for key in LOOKED_UP[name]["keys"] if not exists(values, key)]
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

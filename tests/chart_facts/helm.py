"""Runs helm on the charts in a folder, with exactly our values."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Release
from gitops_render.helm import CHARTS, HELM, Asked, Charts, objects
from tests.support import ROOT

__all__ = ["charts_path", "crds_in_folder", "helm_path", "objects", "template", "with_charts"]

KUBERNETES = "1.36.2"
"""A version that the environments run; charts look at it."""


def helm_path() -> str | None:
    """Return the path of helm: that of `HELM`, that of the tools, or the one on `PATH`."""
    built = ROOT / "tools" / "bin" / "helm"
    return os.environ.get(HELM) or (str(built) if built.exists() else shutil.which("helm"))


def charts_path() -> Path | None:
    """Return the folder that `CHARTS` names."""
    name = os.environ.get(CHARTS)
    return Path(name) if name else None


def with_charts(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test only where there are helm and the charts."""
    missing = charts_path() is None or helm_path() is None
    return pytest.mark.e2e(pytest.mark.skipif(missing, reason="no charts or no helm; set CHARTS and HELM")(test))


def template(release: Release) -> str:
    """Return what helm makes of a release. Raises `ConfigError` where it cannot, or the chart is not the pinned one."""
    charts, asked = _asked(release)
    return charts.template(asked, "--include-crds")


def crds_in_folder(release: Release) -> set[str]:
    """Return the CRDs in the chart's `crds/`, which helm makes once and never deletes."""
    charts, asked = _asked(release)
    return {item["metadata"]["name"] for item in charts.crds(asked)}


def _asked(release: Release) -> tuple[Charts, Asked]:
    helm, charts, chart = helm_path(), charts_path(), release.chart
    if helm is None:
        raise ConfigError("helm: is not there; run `make tools`, or name it by HELM")
    if charts is None:
        raise ConfigError("CHARTS: names no folder; name one with the unpacked charts, a folder for each")
    values = json.dumps(release.values, default=str)
    return Charts(str(charts), helm), Asked(
        release.name, release.namespace, chart.name, chart.version, values, KUBERNETES
    )

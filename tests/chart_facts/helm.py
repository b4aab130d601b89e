"""Runs helm on the charts in a folder, with exactly our values."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Manifest, Release
from tests.support import ROOT

KUBERNETES = "1.36.2"
"""A version that the environments run; charts look at it."""
APIS = tuple(
    f"{version}/{kind}"
    for version, kinds in (
        ("monitoring.coreos.com/v1", ("PodMonitor", "PrometheusRule", "ServiceMonitor")),
        ("cert-manager.io/v1", ("Certificate", "Issuer")),
    )
    for kind in ("", *kinds)
)
"""What a cluster has before the charts that ask for it: the CRDs of the baseline and of cert-manager."""


class Loader(yaml.CSafeLoader):
    """Reads the value `=`, which some CRDs have, as text."""


def _text(_: Loader, node: yaml.ScalarNode) -> str:
    return node.value


Loader.add_constructor("tag:yaml.org,2002:value", _text)


def helm_path() -> str | None:
    """Return the path of helm: that of `HELM`, that of the tools, or the one on `PATH`."""
    built = ROOT / "tools" / "bin" / "helm"
    return os.environ.get("HELM") or (str(built) if built.exists() else shutil.which("helm"))


def charts_path() -> Path | None:
    """Return the folder that `CHARTS` names."""
    name = os.environ.get("CHARTS")
    return Path(name) if name else None


def with_charts(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test only where there are helm and the charts."""
    missing = charts_path() is None or helm_path() is None
    return pytest.mark.e2e(pytest.mark.skipif(missing, reason="no charts or no helm; set CHARTS and HELM")(test))


def template(release: Release) -> str:
    """Return what helm makes of a release. Raises `ConfigError` where it cannot, or the chart is not the pinned one."""
    shown = (f"--kube-version={KUBERNETES}", *(f"--api-versions={api.rstrip('/')}" for api in APIS))
    given = json.dumps(release.values, default=str)
    place = (f"--namespace={release.namespace}", "--values=-", "--include-crds", "--skip-tests")
    return _helm("template", release.name, str(_folder(release)), *place, *shown, given=given)


def crds_in_folder(release: Release) -> set[str]:
    """Return the CRDs in the chart's `crds/`, which helm makes once and never deletes."""
    return {item["metadata"]["name"] for item in objects(_helm("show", "crds", str(_folder(release))))}


def objects(text: str) -> list[Manifest]:
    """Return the objects in what helm printed."""
    return [item for item in yaml.load_all(text, Loader) if item]


def _helm(*arguments: str, given: str = "") -> str:
    helm = helm_path()
    if helm is None:
        raise ConfigError("helm: is not there; run `make tools`, or name it by HELM")
    done = subprocess.run([helm, *arguments], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"helm {' '.join(arguments[:3])}: {done.stderr.strip()}")
    return done.stdout


def _folder(release: Release) -> Path:
    """Return the folder of a release's chart, which must be the pinned one."""
    charts, chart = charts_path(), release.chart
    if charts is None:
        raise ConfigError("CHARTS: names no folder; name one with the unpacked charts, a folder for each")
    folder = charts / chart.name
    if not (folder / "Chart.yaml").exists():
        raise ConfigError(f"{folder}: holds no chart; unpack {chart.name} {chart.version} there")
    found = yaml.safe_load((folder / "Chart.yaml").read_text())["version"]
    if found != chart.version:
        raise ConfigError(f"{folder}: version is {found}, the release asks for {chart.version}; unpack that one")
    return folder

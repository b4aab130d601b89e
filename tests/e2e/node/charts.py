"""Helm, with the values of a release, for charts from the Go modules of their projects (tools/operators), or others."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.platform.scrape import MONITORING
from gitops_render.charts import chart_name
from tests.chart_facts.helm import objects
from tests.e2e.cluster import BIN

CHARTS = BIN / "charts"
WORKLOADS = {"DaemonSet", "Deployment", "Job", "StatefulSet"}
CONTAINERS = ("containers", "initContainers")
NAMESPACED = {*WORKLOADS, "ConfigMap", "Role", "RoleBinding", "Secret", "Service", "ServiceAccount"}
"""Kinds of which charts may leave the namespace to Helm."""

TOOL = "helm"


def render(release: dict[str, Any], charts: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what a HelmRelease installs, from the chart of its name in `charts`; `folder` is for files of ours."""
    spec = release["spec"]
    chart = folder / chart_name(spec)
    if not chart.exists():
        shutil.copytree(charts / chart.name, chart)
        if not (chart / "charts").exists():
            _without_dependencies(chart / "Chart.yaml")
    values = folder / f"{spec['releaseName']}.yaml"
    values.write_text(yaml.safe_dump(spec.get("values", {})))
    command = [BIN / TOOL, "template", spec["releaseName"], chart, "--namespace", spec["targetNamespace"]]
    options = ("--values", values, "--no-hooks", "--include-crds", "--skip-schema-validation")
    apis = ("--api-versions", MONITORING)
    made = subprocess.run([*command, *options, *apis], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    for item in objects(made.stdout):
        if item["kind"] in NAMESPACED:
            item["metadata"].setdefault("namespace", spec["targetNamespace"])
        yield item


def images(items: list[dict[str, Any]]) -> set[str]:
    """Return the images of all containers."""
    pods = [item["spec"]["template"]["spec"] for item in items if item["kind"] in WORKLOADS]
    return {container["image"] for pod in pods for part in CONTAINERS for container in pod.get(part, ())}


def configured(items: list[dict[str, Any]]) -> set[str]:
    """Return the images of which operators are told by a ConfigMap, by keys that end in `Image`."""
    data = (entry for item in items if item["kind"] == "ConfigMap" for entry in (item.get("data") or {}).items())
    return {value for key, value in data if key.endswith("Image")}


def asked(items: list[dict[str, Any]]) -> set[str]:
    """Return the images for which custom resources ask."""
    specs = (item.get("spec") or {} for item in items if item["kind"] not in WORKLOADS)
    return {spec["image"] for spec in specs if "image" in spec}


def named(items: list[dict[str, Any]], option: str) -> Iterator[str]:
    """Yield the images that operators are told of by an option."""
    pods = (item["spec"]["template"]["spec"] for item in items if item["kind"] == "Deployment")
    arguments = (argument for pod in pods for container in pod["containers"] for argument in container.get("args", ()))
    yield from (argument.partition("=")[2] for argument in arguments if argument.startswith(f"{option}="))


def _without_dependencies(file: Path) -> None:
    """Leave out charts in the chart, which are elsewhere; none of them is on."""
    chart = yaml.safe_load(file.read_text())
    chart.pop("dependencies", None)
    chart.setdefault("version", "0.0.0")
    file.write_text(yaml.safe_dump(chart))

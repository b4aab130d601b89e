"""The real helm renders a chart's two versions, from a folder, an archive and a mirror."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from constructs_lib.kit import Chart
from gitops_render.helm import Asked, Charts
from gitops_render.releases import made_differently
from tests.e2e.cluster import BIN
from tests.e2e.conftest import require
from tests.fakes.charts import FakeCharts
from tests.gitops_render.test_releases import item, release, tree

TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels: {helm.sh/chart: "{{ .Chart.Version }}"}
spec:
  replicas: {{ .Values.replicas }}
  kubernetes: "{{ .Capabilities.KubeVersion.Minor }}"
  monitored: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" }}
---
apiVersion: v1
kind: Secret
metadata: {name: random}
stringData: {password: "{{ randAlphaNum 20 }}"}
"""
CRD = item("CustomResourceDefinition", "things.example.org", spec={"versions": []})


@pytest.fixture(autouse=True)
def helm() -> str:
    """The program."""
    require("helm")
    return str(BIN / "helm")


@pytest.fixture
def charts(tmp_path: Path, helm: str) -> Charts:
    """A folder with a chart of two versions: one unpacked, one an archive."""
    for version, text in (("1.0.0", TEMPLATE), ("2.0.0", TEMPLATE.replace("replicas:", "replicas: 1\n  minimum:"))):
        folder = tmp_path / version / "traefik"
        files = {
            "Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": "traefik", "version": version}),
            "templates/all.yaml": text,
            "crds/things.yaml": yaml.safe_dump(CRD),
        }
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
    subprocess.run([helm, "package", tmp_path / "2.0.0/traefik", "--destination", tmp_path / "1.0.0"], check=True)
    return Charts(str(tmp_path / "1.0.0"), helm)


def test_a_chart_at_two_versions_shows_its_objects(tmp_path: Path, charts: Charts) -> None:
    old, new = tree(tmp_path / "old", release(replicas=2)), tree(tmp_path / "new", release("2.0.0", replicas=2))
    made = made_differently(old, new, charts)
    assert made.unjudged == {}
    (found,) = made.objects
    assert str(found.identity) == "Deployment traefik"
    assert [(field.path, field.old, field.new) for field in found.fields] == [
        ("spec.minimum", None, 2),
        ("spec.replicas", 2, 1),
    ]


def test_what_helm_makes_follows_the_version_of_kubernetes_and_what_the_cluster_has(charts: Charts) -> None:
    made = {one["kind"]: one for one in charts.made(Asked("x", "web", "traefik", "1.0.0", '{"replicas": 3}', "1.35.0"))}
    assert made.keys() == {"CustomResourceDefinition", "Deployment", "Secret"}
    assert made["Deployment"]["spec"] == {"replicas": 3, "kubernetes": "35", "monitored": True}


def test_a_version_that_is_nowhere_is_not_judged(tmp_path: Path, charts: Charts) -> None:
    made = made_differently(tree(tmp_path / "old", release()), tree(tmp_path / "new", release("3.0.0")), charts)
    (problem,) = made.unjudged["sandbox"]
    assert "has only traefik 1.0.0, and 3.0.0 is asked for" in problem


def test_charts_of_a_mirror_are_fetched(tmp_path: Path, helm: str) -> None:
    versions = [Chart("https://charts.example.org", "traefik", version) for version in ("1.0.0", "2.0.0")]
    with FakeCharts(versions) as mirror:
        charts = Charts(mirror.url, helm)
        old, new = tree(tmp_path / "old", release(a=1)), tree(tmp_path / "new", release("2.0.0", a=2))
        made = made_differently(old, new, charts)
        assert (made.unjudged, [str(one.identity) for one in made.objects]) == ({}, ["ConfigMap traefik-values"])
        missing = made_differently(old, tree(tmp_path / "none", release("3.0.0")), charts)
        assert "helm template traefik traefik: Error: " in missing.unjudged["sandbox"][0]

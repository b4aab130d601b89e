"""A Helm repository on loopback with a stand-in for every chart that is asked for.

Helm reads a chart when OpenTofu plans a release, and the real ones are out of reach of the tests. A stand-in has the
real chart's name and version, takes any values and makes one ConfigMap that holds them.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

import yaml
from flask import Response

from constructs_lib.kit import Chart
from tests.fakes.server import FakeServer

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-values", namespace: "{{ .Release.Namespace }}"}
data: {values: {{ .Values | toJson | quote }}}
"""


class FakeCharts(FakeServer):
    """A Helm repository (`index.yaml` and archives) that serves stand-ins for `charts`."""

    def __init__(self, charts: Iterable[Chart]) -> None:
        super().__init__()
        self.charts = tuple(charts)
        self.app.add_url_rule("/index.yaml", view_func=self._index)
        self.app.add_url_rule("/<name>-archive-<version>.tgz", view_func=_archive)

    def _index(self) -> Response:
        entries: dict[str, list[dict[str, object]]] = {}
        for chart in self.charts:
            found: dict[str, object] = {**_chart_yaml(chart.name, chart.version), "urls": [_file(chart)]}
            entries.setdefault(chart.name, []).append(found)
        return Response(yaml.safe_dump({"apiVersion": "v1", "entries": entries}), content_type="text/yaml")


def _file(chart: Chart) -> str:
    return f"{chart.name}-archive-{chart.version}.tgz"


def _chart_yaml(name: str, version: str) -> dict[str, str]:
    return {"apiVersion": "v2", "name": name, "version": version, "type": "application"}


def _archive(name: str, version: str) -> Response:
    files = {"Chart.yaml": yaml.safe_dump(_chart_yaml(name, version)), "templates/values.yaml": TEMPLATE}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return Response(packed.getvalue(), content_type="application/gzip")

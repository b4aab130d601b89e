"""The part of helm-controller, which no registry serves, and of the operators that cannot be built here.

For a chart whose program is built, Helm renders it with exactly the release's values, or its project's own manifest
stands in for it, and the release is Ready when its pods are. Every other release, and every object whose operator is
missing, is called Ready at once; `stand_ins` names them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from tests.chart_facts import helm
from tests.e2e.cluster import CRDS
from tests.e2e.node import charts, released
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image
from tests.e2e.node.postgres import MANAGER, sidecars
from tests.e2e.reconciler import awaited, call_ready, unready


class Program(NamedTuple):
    """What is built of a chart's: the files at which its image has it, and components that are missing."""

    files: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()


PROGRAMS = {
    # What is missing are cert-manager's checks of its objects.
    "cert-manager": Program(missing=frozenset({"webhook", "cainjector", "startupapicheck"})),
    "external-secrets": Program(),
    "cloudnative-pg": Program(MANAGER),
    "plugin-barman-cloud": Program(("manager",)),
}
"""The built program of each chart, by the name of both."""

CRDS_OF = {
    "prometheus-operator-crds": "prometheus-operator",
    "opentelemetry-operator": "opentelemetry-operator",
    "traefik": "traefik",
    "valkey-operator": "valkey-operator",
}
"""The files in `CRDS` with what each chart brings that is not at hand."""

REAL = frozenset({"cert-manager.io", "external-secrets.io", "postgresql.cnpg.io", "barmancloud.cnpg.io"})
"""The groups of objects whose operator runs."""


class Releases:
    """Installs releases."""

    def __init__(self, cluster: NodeCluster, folder: Path) -> None:
        folder.mkdir()
        self._cluster, self._folder = cluster, folder
        self._installed: dict[str, list[dict[str, Any]]] = {}
        self.stand_ins: set[str] = set()

    def update(self) -> None:
        """Install what is new, and say of each release whether it is Ready."""
        for item in unready(self._cluster, "helmrepositories.source.toolkit.fluxcd.io"):
            call_ready(self._cluster, item)
        for item in unready(self._cluster, "helmreleases.helm.toolkit.fluxcd.io"):
            chart = item["spec"]["chart"]["spec"]["chart"]
            if chart not in self._installed:
                self._installed[chart] = self._install(item, chart)
            if self._runs(self._installed[chart]):
                call_ready(self._cluster, item)
        for kind in awaited(self._cluster):
            if kind.partition(".")[2] not in REAL:
                self._stand_in(kind)

    def _stand_in(self, kind: str) -> None:
        for item in unready(self._cluster, kind):
            self.stand_ins.add(item["kind"])
            call_ready(self._cluster, item)

    def _install(self, release: dict[str, Any], chart: str) -> list[dict[str, Any]]:
        if chart in CRDS_OF:
            self._cluster.kubectl("apply", "--server-side", "-f", str(CRDS / f"{CRDS_OF[chart]}.yaml"))
        program = PROGRAMS.get(chart)
        if program is None:
            self.stand_ins.add(chart)
            return []
        self.stand_ins.update(f"{chart} ({component})" for component in program.missing)
        made = self._made(release, chart)
        items = [item for item in made if _component(item) not in program.missing]
        items.sort(key=lambda item: item["kind"] != "CustomResourceDefinition")
        own = (Image(name, chart, files=program.files) for name in charts.images(items))
        self._cluster.add_images(*own, *sidecars(items))
        self._cluster.apply(*items)
        return [item for item in items if item["kind"] == "Deployment"]

    def _made(self, release: dict[str, Any], chart: str) -> list[dict[str, Any]]:
        """Return what a release makes: by the chart in `CHARTS`, the one of its module, or a manifest in its place."""
        manifest = charts.CHARTS / f"{chart}.yaml"
        if not manifest.exists():
            return list(charts.render(release, charts.CHARTS, self._folder))
        folder = helm.charts_path()
        if folder is not None:
            return list(charts.render(release, folder, self._folder))
        self.stand_ins.add(f"{chart} (chart)")
        return released.items(chart, manifest, release["spec"]["targetNamespace"])

    def _runs(self, deployments: list[dict[str, Any]]) -> bool:
        for item in deployments:
            found = self._cluster.find(item) or {}
            conditions = {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions", [])}
            if conditions.get("Available") != "True":
                return False
        return True


def _component(item: dict[str, Any]) -> str | None:
    return item["metadata"].get("labels", {}).get(charts.COMPONENT)

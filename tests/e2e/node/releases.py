"""The part of helm-controller, which no registry serves, and of the operators that cannot be built here.

For a chart that is at hand, Helm renders it with exactly the release's values, and the release is Ready when its pods
are. Every other release, and every object whose operator is missing, is called Ready at once; `stand_ins` names them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.cluster import CRDS
from tests.e2e.node import charts
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image
from tests.e2e.reconciler import awaited, call_ready, unready

PROGRAMS = {"cert-manager": "cert-manager", "external-secrets": "external-secrets"}
"""The built program of each chart that is at hand."""

MISSING = {"cert-manager": frozenset({"webhook", "cainjector", "startupapicheck"})}
"""Components of a chart that cannot be built: cert-manager's checks of its objects."""

CRDS_OF = {
    "prometheus-operator-crds": "prometheus-operator",
    "cloudnative-pg": "cloudnative-pg",
    "opentelemetry-operator": "opentelemetry-operator",
    "plugin-barman-cloud": "cnpg-barman-cloud",
    "traefik": "traefik",
    "valkey-operator": "valkey-operator",
}
"""The files in `CRDS` with what each chart brings that is not at hand."""

REAL = frozenset({"cert-manager.io", "external-secrets.io"})
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
        if chart not in PROGRAMS:
            self.stand_ins.add(chart)
            return []
        missing = MISSING.get(chart, frozenset())
        self.stand_ins.update(f"{chart} ({component})" for component in missing)
        made = charts.render(release, self._folder)
        items = [item for item in made if item["metadata"].get("labels", {}).get(charts.COMPONENT) not in missing]
        items.sort(key=lambda item: item["kind"] != "CustomResourceDefinition")
        program = PROGRAMS[chart]
        self._cluster.add_images(*(Image(name, program) for name in charts.images(items)))
        self._cluster.apply(*items)
        return [item for item in items if item["kind"] == "Deployment"]

    def _runs(self, deployments: list[dict[str, Any]]) -> bool:
        for item in deployments:
            found = self._cluster.find(item) or {}
            conditions = {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions", [])}
            if conditions.get("Available") != "True":
                return False
        return True

"""The part of helm-controller, which no registry serves, and of the operators that cannot be built here.

For a chart whose program is built, Helm renders it with exactly the release's values, or something stands in for it
(`released`), and the release is Ready when its pods are, and what its health checks name. So it is with a chart in
`CHARTS` whose images are all in `IMAGES`. Every other release is called Ready at once; `stand_ins` names them. So is
every object whose operator is missing, unless something does the operator's part (`SERVED`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from constructs_lib.environment import Environment
from gitops_render.charts import chart_name
from tests.chart_facts import helm
from tests.e2e.cluster import CRDS
from tests.e2e.node import charts, collector, postgres, prometheus, released, upstream, valkey
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image
from tests.e2e.node.postgres import MANAGER
from tests.e2e.reconciler import CHART_SOURCES, awaited, call_ready, unready


class Program(NamedTuple):
    """What is built of a chart's: the tool, the files at which its image has it, and parts that are missing.

    `roles` is whether the tool is several programs, each in an image of its name.
    """

    tool: str
    files: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    roles: bool = False

    def image(self, name: str) -> Image:
        """Return an image that the chart names."""
        role = name.rpartition("/")[2].partition(":")[0]
        return Image(name, self.tool, files=(role,) if self.roles else self.files)


PROGRAMS = {
    "cert-manager": Program("cert-manager", missing=frozenset({"startupapicheck"}), roles=True),
    "external-secrets": Program("external-secrets"),
    "cloudnative-pg": Program("cloudnative-pg", MANAGER),
    "plugin-barman-cloud": Program("plugin-barman-cloud"),
    "traefik": Program("traefik"),
    "kube-prometheus-stack": Program(
        "prometheus-operator", missing=frozenset({"alertmanager", "grafana", "kube-state-metrics", "node-exporter"})
    ),
}
"""The built program of each chart."""

CRD = "CustomResourceDefinition"
CONDITION = re.compile(r"e\.type == '(\w+)'")
"""The condition for which a health check asks."""

CRDS_OF = {
    "prometheus-operator-crds": "prometheus-operator",
    "opentelemetry-operator": "opentelemetry-operator",
    "traefik": "traefik",
    "valkey-operator": "valkey-operator",
}
"""The files in `CRDS` with what each chart brings that is not at hand."""

REAL = frozenset(
    {
        *("cert-manager.io", "external-secrets.io", "postgresql.cnpg.io", "barmancloud.cnpg.io"),
        *("monitoring.coreos.com", "rabbitmq.com"),
    }
)
"""The groups of objects whose operator runs."""

SERVED = {"OpenTelemetryCollector": collector.is_served, "Valkey": valkey.is_served}
"""What does the part of an operator around a real server, and says whether that serves."""


class Releases:
    """Installs releases."""

    def __init__(self, cluster: NodeCluster, env: Environment, folder: Path) -> None:
        folder.mkdir()
        self._cluster, self._env, self._folder = cluster, env, folder
        self._installed: dict[str, list[dict[str, Any]]] = {}
        self._real = set(REAL)
        self.stand_ins: set[str] = set()

    def update(self) -> None:
        """Install what is new, and say of each release whether it is Ready."""
        for item in (item for kind in CHART_SOURCES for item in unready(self._cluster, kind)):
            call_ready(self._cluster, item)
        for item in unready(self._cluster, "helmreleases.helm.toolkit.fluxcd.io"):
            chart = chart_name(item["spec"])
            if chart not in self._installed:
                self._installed[chart] = self._install(item, chart)
            if self._runs(self._installed[chart], item["spec"].get("healthCheckExprs", ())):
                call_ready(self._cluster, item)
        self._stand_in_all()

    def _stand_in_all(self) -> None:
        for kind in awaited(self._cluster) | {collector.KIND}:
            if kind.partition(".")[2] not in self._real:
                self._stand_in(kind)

    def _stand_in(self, kind: str) -> None:
        for item in unready(self._cluster, kind):
            is_served = SERVED.get(item["kind"])
            self.stand_ins.add(item["kind"])
            if is_served is None or is_served(self._cluster, self._env, item):
                call_ready(self._cluster, item)

    def _install(self, release: dict[str, Any], chart: str) -> list[dict[str, Any]]:
        if chart in CRDS_OF:
            self._cluster.kubectl("apply", "--server-side", "-f", str(CRDS / f"{CRDS_OF[chart]}.yaml"))
        program = PROGRAMS.get(chart)
        if program is None:
            return self._install_fetched(release, chart)
        made = list(self._made(release, chart))
        missing = {part for part in program.missing if not is_fetched([item for item in made if is_of(item, part)])}
        self.stand_ins.update(f"{chart} ({part})" for part in missing)
        items = [item for item in made if not any(is_of(item, part) for part in missing)]
        named = {*charts.images(items), *charts.named(items, "--acme-http01-solver-image")}
        own = (program.image(name) for name in named)
        self._cluster.add_images(*own, *postgres.operands(items), *prometheus.operands(items))
        return self._apply(items)

    def _install_fetched(self, release: dict[str, Any], chart: str) -> list[dict[str, Any]]:
        """Install a chart without a built program, if all its images were fetched."""
        folder = helm.charts_path()
        made = list(charts.render(release, folder, self._folder)) if folder and upstream.FOLDER in os.environ else []
        if not is_fetched(made):
            self.stand_ins.add(chart)
            return []
        self._real |= {item["spec"]["group"] for item in made if item["kind"] == CRD}
        named = charts.images(made) | charts.asked(made) | charts.configured(made)
        self._cluster.add_images(*(Image(name) for name in named if upstream.fetched(name)))
        return self._apply(made)

    def _apply(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._cluster.apply(*sorted(items, key=lambda item: item["kind"] != CRD))
        return items

    def _made(self, release: dict[str, Any], chart: str) -> list[dict[str, Any]]:
        """Return what a release makes: by the chart of its module, by the one in `CHARTS`, or by a stand-in."""
        if chart not in released.COMPONENT:
            return list(charts.render(release, charts.CHARTS, self._folder))
        folder = helm.charts_path()
        if folder is not None:
            return list(charts.render(release, folder, self._folder))
        self.stand_ins.add(f"{chart} (chart)")
        return released.items(release, self._folder)

    def _runs(self, items: list[dict[str, Any]], health_checks: Iterable[dict[str, str]]) -> bool:
        wanted = {check["kind"]: CONDITION.findall(check["current"])[0] for check in health_checks}
        wanted["Deployment"] = "Available"
        for item in (item for item in items if item["kind"] in wanted):
            found = self._cluster.find(item) or {}
            conditions = {entry["type"]: entry["status"] for entry in found.get("status", {}).get("conditions", [])}
            if conditions.get(wanted[item["kind"]]) != "True":
                return False
        return True


def is_of(item: dict[str, Any], part: str) -> bool:
    """Return whether an object belongs to a part of a chart."""
    return part in f"{item['kind'].lower()} {item['metadata']['name']}"


def is_fetched(items: list[dict[str, Any]]) -> bool:
    """Return whether upstream's images are at hand for what objects run, of which there is something."""
    names = charts.images(items) | charts.asked(items)
    return bool(names) and all(upstream.fetched(name) for name in names)

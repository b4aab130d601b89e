"""What the real helm-controller finds: the charts of the releases, and on the machines the images of what they run.

A chart whose images are at hand is served as it is. Of one whose program is missing an empty one is served, and a part
that is missing of another has an image that answers where its probes ask; `stand_ins` names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.environment import Environment
from constructs_lib.kit import Chart, Release
from tests.chart_facts.helm import charts_path, objects, template
from tests.e2e.cluster import CRDS
from tests.e2e.node import charts, images, postgres, prometheus, site, upstream
from tests.e2e.node.images import APPLICATION, Image
from tests.e2e.node.releases import CRD, CRDS_OF, PROGRAMS, Program, Releases, is_fetched, is_of

STANDIN = Path(__file__).parent / "standins" / "web.py"
SOLVER = "--acme-http01-solver-image"


class Answering(Image):
    """An image that answers to probes and scrapes, and does nothing else."""

    def _layer(self, trusted: bytes) -> bytes:
        files = {**images.FILES, images.CERTIFICATES: trusted}
        return images.packed(files, images.FOLDERS, dict(images.LINKS), {"web": STANDIN})


def wanted(env: Environment) -> list[Release]:
    """Return the releases of an environment."""
    return [release for layer in env.layers for release in layer.releases]


class Shelf(Releases):
    """Lets helm-controller install releases."""

    def fill(self, sites: Path) -> None:
        """Serve the chart of every release, and add the images of what runs."""
        for release in wanted(self._env):
            site.publish(sites, release.chart, self._chart(release))

    def update(self) -> None:
        """Say of each object whether it is ready whose operator is missing."""
        self._stand_in_all()

    def _chart(self, release: Release) -> Path:
        """Return the folder of the chart that is served."""
        made = objects(template(release))
        program = PROGRAMS.get(release.chart.name)
        if program is None and charts.images(made) and not is_fetched(made):
            self.stand_ins.add(release.chart.name)
            return self._empty(release.chart)
        self._real |= {item["spec"]["group"] for item in made if item["kind"] == CRD}
        if found := list(self._images(release.chart.name, made, program or Program(""))):
            self._cluster.add_images(*found)
        folder = charts_path()
        assert folder is not None
        return folder / release.chart.name

    def _images(self, chart: str, made: list[dict[str, Any]], program: Program) -> Iterator[Image]:
        absent = {part for part in program.missing if not is_fetched([item for item in made if is_of(item, part)])}
        self.stand_ins.update(f"{chart} ({part})" for part in absent)
        missing = charts.images([item for item in made if any(is_of(item, part) for part in absent)])
        named = charts.images(made) | charts.asked(made) | charts.configured(made) | set(charts.named(made, SOLVER))
        operands = {image.name: image for image in (*postgres.operands(made), *prometheus.operands(made))}
        yield from operands.values()
        for name in named - set(operands):
            if name in missing and not upstream.fetched(name):
                yield Answering(name, files=("web",), base=APPLICATION.base)
            elif program.tool or upstream.fetched(name):
                yield program.image(name)

    def _empty(self, chart: Chart) -> Path:
        folder = self._folder / chart.name
        (folder / "crds").mkdir(parents=True)
        about = {"apiVersion": "v2", "name": chart.name, "version": chart.version, "description": "Nothing"}
        (folder / "Chart.yaml").write_text(yaml.safe_dump(about))
        if chart.name in CRDS_OF:
            (folder / "crds" / "all.yaml").write_text((CRDS / f"{CRDS_OF[chart.name]}.yaml").read_text())
        return folder

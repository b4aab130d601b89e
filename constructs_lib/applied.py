"""Apply mode: the layers of an environment as Helm releases that OpenTofu installs.

Plain objects go through a small embedded chart that prints what it is given. So a plan needs neither the cluster nor
the kinds of its objects, both of which `kubernetes_manifest` needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cdktf import AssetType, ITerraformDependable, TerraformAsset
from constructs import Construct

from constructs_lib.component import Chart, Layer, LayerId, Release
from constructs_lib.helm_release import helm_release

OBJECTS_CHART = Path(__file__).parent / "objects_chart"
RELEASE_NAMESPACE = "flux-system"
"""Where Helm keeps what it knows of the plain objects; it is there before any layer."""


class Applied(Construct):
    """The layers, each after those it names. `layers` must be in order, as `in_order` gives them.

    In a layer the plain objects come first: among them is the namespace that a release goes into.
    """

    def __init__(self, scope: Construct, id_: str, *, layers: Sequence[Layer]) -> None:
        super().__init__(scope, id_)
        self._objects_chart = TerraformAsset(self, "chart", path=str(OBJECTS_CHART), type=AssetType.DIRECTORY).path
        ready: dict[LayerId, list[ITerraformDependable]] = {}
        for layer in layers:
            before = [needed for name in layer.after for needed in ready[name]]
            ready[layer.id] = self._layer(layer, before)

    def _layer(self, layer: Layer, before: list[ITerraformDependable]) -> list[ITerraformDependable]:
        """Add the releases of a layer and return what has to be ready before a layer that comes after it."""
        made: list[ITerraformDependable] = []
        if layer.manifests:
            chart = Chart(repository="", name=self._objects_chart, version="")
            objects = Release(str(layer.id), RELEASE_NAMESPACE, chart, {"objects": list(layer.manifests)})
            made.append(helm_release(self, str(layer.id), objects, depends_on=before))
        releases = [helm_release(self, item.name, item, depends_on=[*before, *made]) for item in layer.releases]
        return [*made, *releases] or before

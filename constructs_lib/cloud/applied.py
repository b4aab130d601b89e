"""Apply mode: the layers of an environment as Helm releases that OpenTofu installs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cdktf import ITerraformDependable
from constructs import Construct

from constructs_lib.cloud.helm_release import helm_release
from constructs_lib.cloud.plain_objects import objects_chart, waiting_job
from constructs_lib.kit import (
    FLUX_KUSTOMIZATION,
    FLUX_NAMESPACE,
    PLATFORM_ACCOUNT,
    Layer,
    LayerId,
    Manifest,
    Release,
    group,
)

RELEASE_NAMESPACE = FLUX_NAMESPACE
"""Where Helm keeps what it knows of the plain objects; it is there before any layer."""


class Applied(Construct):
    """The layers, each after those it names. `layers` must be in order, as `in_order` gives them.

    In a layer the plain objects come first: among them is the namespace that a release goes into.
    """

    def __init__(self, scope: Construct, id_: str, *, layers: Sequence[Layer]) -> None:
        super().__init__(scope, id_)
        self._objects_chart = objects_chart(self)
        ready: dict[LayerId, list[ITerraformDependable]] = {}
        for layer in layers:
            before = [needed for name in layer.after for needed in ready[name]]
            ready[layer.id] = self._layer(layer, before)

    def _layer(self, layer: Layer, before: list[ITerraformDependable]) -> list[ITerraformDependable]:
        """Add the releases of a layer and return what has to be ready before a layer that comes after it."""
        made: list[ITerraformDependable] = []
        if layer.manifests:
            made.append(
                helm_release(self, str(layer.id), self._objects(layer), depends_on=before, timeout=layer.timeout)
            )
        releases = [
            helm_release(self, item.name, item, depends_on=[*before, *made], timeout=layer.release_timeout)
            for item in layer.releases
        ]
        return [*made, *releases] or before

    def _objects(self, layer: Layer) -> Release:
        objects = [*layer.manifests, *_waiting(layer)]
        return Release(str(layer.id), RELEASE_NAMESPACE, self._objects_chart, {"objects": objects}, stateful=True)


def _waiting(layer: Layer) -> Iterator[Manifest]:
    """Yield the job that waits for what Flux applies."""
    names = [item["metadata"]["name"] for item in layer.manifests if item["apiVersion"] == FLUX_KUSTOMIZATION]
    if names:
        objects = [f"kustomization.{group(FLUX_KUSTOMIZATION)}/{name}" for name in names]
        yield waiting_job(f"wait-for-{layer.id}", PLATFORM_ACCOUNT, objects, timeout=layer.release_timeout)

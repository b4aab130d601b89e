"""Apply mode: the layers of an environment as Helm releases that OpenTofu installs.

Plain objects go through a small embedded chart that prints what it is given. So a plan needs neither the cluster nor
the kinds of its objects, both of which `kubernetes_manifest` needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cdktf import AssetType, ITerraformDependable, TerraformAsset
from constructs import Construct

from constructs_lib.cloud.helm_release import helm_release
from constructs_lib.kit import (
    CONFINED,
    FLUX_KUSTOMIZATION,
    FLUX_NAMESPACE,
    ON_SYSTEM_POOL,
    PLATFORM_ACCOUNT,
    Chart,
    Layer,
    LayerId,
    Manifest,
    Release,
    group,
    manifest,
    resources,
)

OBJECTS_CHART = Path(__file__).parent / "objects_chart"
RELEASE_NAMESPACE = FLUX_NAMESPACE
"""Where Helm keeps what it knows of the plain objects; it is there before any layer."""
KUBECTL_IMAGE = "registry.k8s.io/kubectl:v1.36.0"


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
            made.append(
                helm_release(self, str(layer.id), self._objects(layer), depends_on=before, timeout=layer.timeout)
            )
        releases = [
            helm_release(self, item.name, item, depends_on=[*before, *made], timeout=layer.release_timeout)
            for item in layer.releases
        ]
        return [*made, *releases] or before

    def _objects(self, layer: Layer) -> Release:
        chart = Chart(repository="", name=self._objects_chart, version="")
        objects = [*layer.manifests, *_waiting(layer)]
        return Release(str(layer.id), RELEASE_NAMESPACE, chart, {"objects": objects}, stateful=True)


def _waiting(layer: Layer) -> Iterator[Manifest]:
    """Yield the job by which Helm waits for what Flux applies: Helm itself knows no readiness of custom resources."""
    names = [item["metadata"]["name"] for item in layer.manifests if item["apiVersion"] == FLUX_KUSTOMIZATION]
    if not names:
        return
    command = ["kubectl", "wait", "--for=condition=Ready", f"--timeout={layer.release_timeout}"]
    command += ["--namespace", FLUX_NAMESPACE]
    container = {
        "name": "kubectl",
        "image": KUBECTL_IMAGE,
        "command": [*command, *(f"kustomization.{group(FLUX_KUSTOMIZATION)}/{name}" for name in names)],
        "resources": resources("10m", "64Mi"),
        "securityContext": CONFINED,
    }
    pod = {
        "serviceAccountName": PLATFORM_ACCOUNT,
        "restartPolicy": "OnFailure",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        **ON_SYSTEM_POOL,
        "containers": [container],
    }
    job = manifest("batch/v1", "Job", f"wait-for-{layer.id}", FLUX_NAMESPACE, spec={"template": {"spec": pod}})
    job["metadata"]["annotations"] = {
        "helm.sh/hook": "post-install,post-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    yield job

"""Plain objects as a Helm release, and the job by which Helm waits for them.

They go through a small embedded chart that prints what it is given. So a plan needs neither the cluster nor the kinds
of its objects, both of which `kubernetes_manifest` needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cdktf import AssetType, TerraformAsset
from constructs import Construct

from constructs_lib.base.quantities import Minutes
from constructs_lib.kit import CONFINED, FLUX_NAMESPACE, ON_SYSTEM_POOL, Chart, Manifest, manifest, resources

OBJECTS_CHART = Path(__file__).parent / "objects_chart"
KUBECTL_IMAGE = "registry.k8s.io/kubectl:v1.36.0"


def objects_chart(scope: Construct) -> Chart:
    """Add the chart to a stack; its one value is `objects`."""
    asset = TerraformAsset(scope, "chart", path=str(OBJECTS_CHART), type=AssetType.DIRECTORY)
    return Chart(repository="", name=asset.path, version="")


def waiting_job(name: str, account: str, objects: Iterable[str], *, timeout: Minutes) -> Manifest:
    """Return the hook that waits until `objects` of Flux' namespace (`kind.group/name`) are Ready.

    Helm itself knows no readiness of custom resources. `account` has to be allowed to read them.
    """
    command = ["kubectl", "wait", "--for=condition=Ready", f"--timeout={timeout}", "--namespace", FLUX_NAMESPACE]
    container = {
        "name": "kubectl",
        "image": KUBECTL_IMAGE,
        "command": [*command, *objects],
        "resources": resources("10m", "64Mi"),
        "securityContext": CONFINED,
    }
    pod = {
        "serviceAccountName": account,
        "restartPolicy": "OnFailure",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        **ON_SYSTEM_POOL,
        "containers": [container],
    }
    job = manifest("batch/v1", "Job", name, FLUX_NAMESPACE, spec={"template": {"spec": pod}})
    job["metadata"]["annotations"] = {
        "helm.sh/hook": "post-install,post-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    return job

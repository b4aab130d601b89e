"""Pods of tests: each runs the probe, under the restricted pod security standard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from constructs_lib.kit import Manifest, manifest
from tests.e2e.node.images import PROBE

RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def spec(*arguments: str, claims: Mapping[str, str] | None = None, **changes: Any) -> Manifest:
    """Return what a pod is that runs the probe; `claims` stand at the folders by which they are named."""
    mounts = [{"mountPath": folder, "name": claim} for folder, claim in (claims or {}).items()]
    container: Manifest = {
        "name": "probe",
        "image": PROBE.name,
        "args": list(arguments),
        "securityContext": RESTRICTED,
        "volumeMounts": mounts,
    }
    volumes = [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in (claims or {}).values()]
    pod: Manifest = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1}
    return {**pod, "securityContext": {"fsGroup": 65532}, "automountServiceAccountToken": False, **changes}


def pod(namespace: str, name: str, *arguments: str, labels: Mapping[str, str] | None = None, **more: Any) -> Manifest:
    """Return a pod that runs the probe; `more` is as for `spec`."""
    made = manifest("v1", "Pod", name, namespace, spec=spec(*arguments, **more))
    made["metadata"]["labels"] = {"app": name, **(labels or {})}
    return made


def service(namespace: str, name: str, ports: Iterable[int], *, headless: bool = False) -> Manifest:
    """Return a Service for the pods whose label `app` is its name."""
    numbered = [{"name": f"port-{port}", "port": port} for port in ports]
    body: Manifest = {"selector": {"app": name}, "ports": numbered}
    return manifest("v1", "Service", name, namespace, spec=body | ({"clusterIP": "None"} if headless else {}))

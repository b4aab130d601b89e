"""Flux as `wait-ready` sees it: its kinds on a real API server, and a root that becomes Ready."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.e2e.cluster import Cluster
from tests.fakes.digitalocean import FakeDigitalOcean

KINDS = (
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease"),
    ("source.toolkit.fluxcd.io", "v1", "GitRepository"),
    ("source.toolkit.fluxcd.io", "v1", "Bucket"),
    ("fluxcd.controlplane.io", "v1", "FluxInstance"),
)
NAMESPACE = "flux-system"


def install_kinds(cluster: Cluster) -> None:
    """Let the API server take Flux's objects, whatever is in them."""
    cluster.apply(*(_crd(*kind) for kind in KINDS))
    names = [f"crd/{_plural(kind)}.{group}" for group, _, kind in KINDS]
    cluster.kubectl("wait", *names, "--for=condition=Established", "--timeout=60s")


def put(cluster: Cluster, kind: str, name: str, *, ready: bool, message: str = "", **spec: Any) -> None:
    """Put an object there that is Ready or not."""
    group, version = next((group, version) for group, version, known in KINDS if known == kind)
    item = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}
    cluster.apply({**item, "spec": {"interval": "1m", **spec}})
    found = cluster.find(item)
    assert found is not None
    condition = {"type": "Ready", "status": str(ready), "reason": "Test", "message": message}
    status = {"status": {"conditions": [condition], "observedGeneration": found["metadata"]["generation"]}}
    where = (f"{_plural(kind)}.{group}", name, "--namespace", NAMESPACE)
    cluster.kubectl("patch", *where, "--subresource=status", "--type=merge", "--patch", json.dumps(status))


class BecomesReady(threading.Thread):
    """Makes root and balancer Ready once cluster and Flux's namespace are there; to use as a context manager."""

    def __init__(self, cluster: Cluster, account: FakeDigitalOcean, balancer: str) -> None:
        super().__init__(daemon=True)
        self._cluster, self._over = cluster, threading.Event()
        self._account, self._balancer = account, balancer

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Wait for both."""
        while not self._over.wait(0.5):
            if self._account.clusters and self._cluster.get("namespace", NAMESPACE):
                self._account.add_balancer(self._balancer)
                put(self._cluster, "Kustomization", NAMESPACE, ready=True)
                return


def _plural(kind: str) -> str:
    return "gitrepositories" if kind == "GitRepository" else f"{kind.lower()}s"


def _crd(group: str, version: str, kind: str) -> dict[str, Any]:
    plural = _plural(kind)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{**served, "schema": {"openAPIV3Schema": schema}}],
        },
    }

"""Kubernetes objects that more than one component needs."""

from __future__ import annotations

from typing import Any, Literal

from constructs_lib.component import Manifest

KEEP = {"kustomize.toolkit.fluxcd.io/prune": "disabled", "helm.sh/resource-policy": "keep"}
"""Annotations by which neither Flux nor Helm ever deletes an object."""

PodSecurity = Literal["restricted", "baseline", "privileged"]


def manifest(api_version: str, kind: str, name: str, namespace: str | None = None, **body: Any) -> Manifest:
    """Return a Kubernetes object with `body` as its further top-level fields."""
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def namespace(name: str, pod_security: PodSecurity = "restricted") -> Manifest:
    """Return a namespace that enforces a pod security standard and that nothing prunes."""
    labels = {f"pod-security.kubernetes.io/{mode}": pod_security for mode in ("enforce", "audit", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels, "annotations": KEEP}}

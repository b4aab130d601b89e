"""Kubernetes objects that more than one component needs."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from typing import Any, Literal, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""One Kubernetes object as plain data. Its shape is checked against the CRD schemas, not by the type checker."""

FORCE = "kustomize.toolkit.fluxcd.io/force"
PRUNE = "kustomize.toolkit.fluxcd.io/prune"
KEEP_IN_FLUX = {PRUNE: "disabled"}
KEEP_IN_HELM = {"helm.sh/resource-policy": "keep"}
KEEP = KEEP_IN_FLUX | KEEP_IN_HELM
"""Annotations by which neither Flux nor Helm ever deletes an object."""

PRIVILEGED_REASON = "platform/privileged-reason"

PodSecurity = Literal["restricted", "baseline", "privileged"]
ENFORCED = "pod-security.kubernetes.io/enforce"
"""The label that says which pod security standard a namespace enforces."""


def manifest(api_version: str, kind: str, name: str, namespace: str | None = None, **body: Any) -> Manifest:
    """Return a Kubernetes object with `body` as its further top-level fields."""
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def group(api_version: str) -> str:
    """Return the API group of an `apiVersion`; empty for the core's."""
    return api_version.rpartition("/")[0]


def namespace(
    name: str, pod_security: PodSecurity = "restricted", *, why: str = "", part_of: str = "platform"
) -> Manifest:
    """Return a namespace that enforces a pod security standard and that nothing prunes.

    `why` is the reason for a privileged one, `part_of` is `platform` or `apps`.
    """
    labels = {**pod_security_labels(pod_security), "app.kubernetes.io/part-of": part_of}
    annotations = KEEP | ({PRIVILEGED_REASON: why} if why else {})
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
    }


def pod_security_labels(standard: PodSecurity) -> dict[str, str]:
    """Return the labels of a namespace that enforces a pod security standard, and says so early."""
    return dict.fromkeys((ENFORCED, "pod-security.kubernetes.io/audit", "pod-security.kubernetes.io/warn"), standard)


def object_name(name: str) -> str:
    """Return the name of the object for what a service calls `name`: `app_one` is `app-one`, and `/` is `default`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "default"


def check_secrets(key: str, owner: str, names: Iterable[str], taken: Container[str]) -> None:
    """Raise `ValueError` for a name in `key` whose Secret, `<owner>-<name>`, somebody else makes or takes away."""
    for name in names:
        if object_name(name) in taken:
            raise ValueError(f"{key}: '{name}' would have the Secret {owner}-{object_name(name)}, which is not its own")


def check_apart(objects: Iterable[tuple[str, str, str]]) -> None:
    """Raise `ValueError` for two settings with one object; each is its words, and the object's kind and name.

    Kubernetes takes fewer letters than services do, so that `app_one` and `app__one` are one there.
    """
    settings: dict[tuple[str, str], str] = {}
    for words, *item in objects:
        other = settings.setdefault((item[0], item[1]), words)
        if other is not words:
            raise ValueError(f"{other} and {words} would have one {item[0]}, {item[1]}; rename one of them")


def kept(item: Manifest) -> Manifest:
    """Return `item` so that neither Flux nor Helm ever deletes or replaces it: it holds data."""
    annotations = {**item["metadata"].get("annotations", {}), **KEEP, FORCE: "disabled"}
    return {**item, "metadata": {**item["metadata"], "annotations": annotations}}

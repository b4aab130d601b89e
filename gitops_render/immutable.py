"""What the API server never changes in an object: a change of it is refused for ever, or the object is made anew.

`tests/e2e/test_immutable.py` tries each kind on a real API server, `tests/e2e/test_webhooks.py` those of operators.
Sources: kubernetes/kubernetes v1.36 `pkg/apis/*/validation`, apiextensions-apiserver
`pkg/apis/apiextensions/validation`, rabbitmq/messaging-topology-operator v1.20.1 `internal/webhook/v1beta1`, and the
CRDs of cloudnative-pg v1.30.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from constructs_lib.kit import Manifest, group
from gitops_render.fields import Field

STAYS: dict[str, tuple[str, ...]] = {
    "ClusterRoleBinding": ("roleRef",),
    "CustomResourceDefinition": ("spec.scope",),
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "IngressClass": ("spec.controller",),
    "Job": ("spec.completionMode", "spec.template"),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeMode"),
    "PriorityClass": ("preemptionPolicy", "value"),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP",),
    "StatefulSet": ("spec.podManagementPolicy", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
"""Fields that keep the value that they were made with, by kind."""
BROKER = "spec.rabbitmqClusterReference"
STAYS_OF_OPERATORS: dict[tuple[str, str], tuple[str, ...]] = {
    ("postgresql.cnpg.io", "Database"): ("spec.cluster", "spec.name"),
    ("rabbitmq.com", "Permission"): ("spec.userReference", "spec.vhost", BROKER),
    ("rabbitmq.com", "Policy"): ("spec.name", "spec.vhost", BROKER),
    ("rabbitmq.com", "User"): (BROKER,),
    ("rabbitmq.com", "Vhost"): ("spec.name", BROKER),
}
"""Such fields of operators' objects, by API group and kind: `a_b` and `a-b` make objects of one name."""
SETS = (".labels.", ".matchLabels.", "parameters.")
"""Parts of them in which a key that comes or goes is a change; elsewhere it may be the default that was there."""
HOOK = "helm.sh/hook"
"""The annotation of what helm deletes and makes anew by itself."""


def unchangeable(old: Manifest, new: Manifest, changed: Sequence[Field]) -> tuple[str, ...]:
    """Return the paths among the `changed` fields of an object that the API server never changes."""
    if HOOK in (new.get("metadata", {}).get("annotations") or {}):
        return ()
    return tuple(dict.fromkeys((*_fields(new, changed), *_versions(old, new), *_data(old, changed))))


def _fields(new: Manifest, changed: Sequence[Field]) -> Iterator[str]:
    kind = new["kind"]
    kept = (*STAYS.get(kind, ()), *STAYS_OF_OPERATORS.get((group(new["apiVersion"]), kind), ()))
    for field in changed:
        there = any(f"{field.path}.".startswith((f"{stays}.", f"{stays}[")) for stays in kept)
        both = field.old is not None and field.new is not None
        if there and (both or any(part in field.path for part in SETS)):
            yield field.path


def _versions(old: Manifest, new: Manifest) -> Iterator[str]:
    """Yield the version of a CRD in which objects are stored, if it would go (its `status.storedVersions` has it)."""
    if old["kind"] == new["kind"] == "CustomResourceDefinition":
        left = {version.get("name") for version in _versions_of(new)}
        stored = (version.get("name") for version in _versions_of(old) if version.get("storage"))
        yield from (f"spec.versions ({name})" for name in stored if name not in left)


def _versions_of(crd: Manifest) -> list[Manifest]:
    return (crd.get("spec") or {}).get("versions") or []


def _data(old: Manifest, changed: Sequence[Field]) -> Iterator[str]:
    """Yield what changes of a ConfigMap or Secret that says that it never does."""
    if old["kind"] in {"ConfigMap", "Secret"} and old.get("immutable") is True:
        roots = ("binaryData", "data", "immutable", "stringData")
        yield from (field.path for field in changed if field.path.startswith(roots))

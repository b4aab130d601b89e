"""What we say that the API server never changes, a real one refuses to change; and what we do not say, it changes."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import pytest

from constructs_lib.kit import Manifest
from gitops_render.fields import fields
from gitops_render.immutable import STAYS, unchangeable
from tests.e2e.cluster import TOOLS, Cluster
from tests.e2e.conftest import require

LABELS = {"app": "x"}
POD = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
JOB_POD = {"spec": {**POD["spec"], "restartPolicy": "Never"}}
SIZE = {"resources": {"requests": {"storage": "1Gi"}}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "storageClassName": "a", "volumeMode": "Filesystem", **SIZE}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
SUBJECTS = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "x"}]
SET: Manifest = {
    "serviceName": "x",
    "podManagementPolicy": "Parallel",
    "selector": {"matchLabels": LABELS},
    "template": POD,
    "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], **SIZE}}],
}


class Try(NamedTuple):
    """An object, and what is set at a path in it."""

    made: Manifest
    path: str
    value: Any


def of(api_version: str, kind: str, name: str = "x", **body: Any) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}


def crd(*versions: str) -> list[Manifest]:
    schema = {"openAPIV3Schema": {"type": "object"}}
    return [{"name": name, "served": True, "storage": name == versions[-1], "schema": schema} for name in versions]


NAMES = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
THINGS = of(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "things.example.org",
    spec={"group": "example.org", "scope": "Namespaced", "names": NAMES, "versions": crd("v1beta1")},
)
DEPLOYMENT = of("apps/v1", "Deployment", spec={"selector": {"matchLabels": LABELS}, "template": POD})
STATEFUL = of("apps/v1", "StatefulSet", spec=SET)
JOB = of("batch/v1", "Job", spec={"template": JOB_POD, "completionMode": "NonIndexed"})
SERVICE = of("v1", "Service", spec={"clusterIP": "10.0.0.77", "ports": [{"port": 80}]})
STORAGE = of(
    "storage.k8s.io/v1",
    "StorageClass",
    provisioner="x",
    parameters={"a": "b"},
    reclaimPolicy="Retain",
    volumeBindingMode="Immediate",
)
PRIORITY = of("scheduling.k8s.io/v1", "PriorityClass", value=7, preemptionPolicy="Never")
BOTH = {"matchLabels": {**LABELS, "b": "c"}}
BIGGER = copy.deepcopy(SET["volumeClaimTemplates"])
BIGGER[0]["spec"]["resources"]["requests"]["storage"] = "2Gi"

REFUSED = [
    *(
        Try(of("rbac.authorization.k8s.io/v1", kind, roleRef=ROLE, subjects=SUBJECTS), "roleRef.name", "edit")
        for kind in ("ClusterRoleBinding", "RoleBinding")
    ),
    Try(THINGS, "spec.scope", "Cluster"),
    Try(THINGS, "spec.versions", crd("v1")),
    Try({**DEPLOYMENT, "kind": "DaemonSet"}, "spec.selector.matchLabels.app", "y"),
    Try(DEPLOYMENT, "spec.selector", BOTH),
    Try(of("networking.k8s.io/v1", "IngressClass", spec={"controller": "a.b/c"}), "spec.controller", "a.b/d"),
    Try(JOB, "spec.template.spec.containers", [{"name": "x", "image": "y"}]),
    Try(JOB, "spec.completionMode", "Indexed"),
    Try(of("v1", "PersistentVolumeClaim", spec=CLAIM), "spec.storageClassName", "b"),
    Try(of("v1", "PersistentVolumeClaim", spec=CLAIM), "spec.accessModes", ["ReadWriteMany"]),
    Try(of("v1", "PersistentVolumeClaim", spec=CLAIM), "spec.volumeMode", "Block"),
    Try(PRIORITY, "value", 8),
    Try(PRIORITY, "preemptionPolicy", "PreemptLowerPriority"),
    Try(of("v1", "Secret", type="Opaque"), "type", "example.org/x"),
    Try(of("v1", "ConfigMap", data={"a": "b"}, immutable=True), "data.a", "c"),
    Try(of("v1", "Secret", data={"a": "Yg=="}, immutable=True), "data.a", "Yw=="),
    Try(SERVICE, "spec.clusterIP", "10.0.0.78"),
    Try(STATEFUL, "spec.serviceName", "y"),
    Try(STATEFUL, "spec.podManagementPolicy", "OrderedReady"),
    Try(STATEFUL, "spec.volumeClaimTemplates", BIGGER),
    Try(STATEFUL, "spec.selector", BOTH),
    Try(STORAGE, "parameters.a", "c"),
    Try(STORAGE, "provisioner", "y"),
    Try(STORAGE, "reclaimPolicy", "Delete"),
    Try(STORAGE, "volumeBindingMode", "WaitForFirstConsumer"),
]
TAKEN = [
    Try(THINGS, "spec.versions", crd("v1beta1", "v1")),
    Try(DEPLOYMENT, "spec.replicas", 3),
    Try(STATEFUL, "spec.replicas", 3),
    Try(JOB, "spec.parallelism", 2),
    Try(SERVICE, "spec.ports", [{"port": 81}]),
    Try(of("v1", "Secret", data={"a": "Yg=="}), "data.a", "Yw=="),
    Try(STORAGE, "allowVolumeExpansion", value=True),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One API server for all of them."""
    require(*TOOLS)
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def changed(tried: Try) -> Manifest:
    new = copy.deepcopy(tried.made)
    *parents, last = tried.path.split(".")
    target = new
    for part in parents:
        target = target[part]
    target[last] = tried.value
    return new


def tried_on(server: Cluster, tried: Try, name: str, code: int) -> tuple[str, tuple[str, ...]]:
    """Make the object under a name of its own, change it, and return what the API server says, and what we say."""
    old, new = (copy.deepcopy(item) for item in (tried.made, changed(tried)))
    if old["kind"] != "CustomResourceDefinition":
        old["metadata"]["name"] = new["metadata"]["name"] = name
    server.apply(old)
    printed = server.apply(new, code=code)
    if old["kind"] in {"CustomResourceDefinition", "Service"}:  # two of them would be one, or have one address
        server.kubectl("delete", old["kind"], old["metadata"]["name"])
    return printed, unchangeable(old, new, list(fields(old, new)))


@pytest.mark.parametrize("tried", REFUSED, ids=lambda tried: f"{tried.made['kind']}-{tried.path}")
def test_what_we_call_unchangeable_is_refused(server: Cluster, tried: Try) -> None:
    printed, told = tried_on(server, tried, f"r{REFUSED.index(tried)}", code=1)
    assert any(word in printed for word in ("immutable", "forbidden", "may not", "cannot change", "missing from")), (
        printed
    )
    assert told


@pytest.mark.parametrize("tried", TAKEN, ids=lambda tried: f"{tried.made['kind']}-{tried.path}")
def test_what_we_do_not_call_so_is_taken(server: Cluster, tried: Try) -> None:
    _, told = tried_on(server, tried, f"t{TAKEN.index(tried)}", code=0)
    assert told == ()


def test_every_kind_that_we_name_is_tried() -> None:
    tried = {
        (one.made["kind"], path)
        for one in REFUSED
        for path in STAYS.get(one.made["kind"], ())
        if one.path.startswith(path)
    }
    left = {(kind, path) for kind, paths in STAYS.items() for path in paths} - tried
    assert left == set()

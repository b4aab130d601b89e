"""Taking the sandbox away: what Flux and Helm made carries their labels, and nobody else had Flux in the cluster.

Upstream: fluxcd/kustomize-controller v1.9.5 and fluxcd/helm-controller v1.6 label what they apply with the namespace of
their own object; flux-operator v0.58.1 labels Flux itself.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from typing import Any

from constructs_lib.base.console import say, step
from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import FLUX_NAMESPACE, ROLE_LABEL
from operations.trying.kubectl import Kubectl
from operations.trying.place import FOLDER, MARK, NAME

OURS = (
    f"kustomize.toolkit.fluxcd.io/namespace={FLUX_NAMESPACE}",
    f"helm.toolkit.fluxcd.io/namespace={FLUX_NAMESPACE}",
    "app.kubernetes.io/part-of=flux",
    "app.kubernetes.io/name=flux-operator",
)
"""The labels of what the sandbox holds, each alone enough."""
NAMESPACES = "app.kubernetes.io/part-of in (platform, apps)"
"""The label of the namespaces that the platform makes."""
FIRST = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicybindings")
"""What would refuse the end of the rest once those who answer are gone."""
OPERATORS_END = "--timeout=120s"
"""How long operators have to end what is theirs, before what holds it is let go."""
TIMED_OUT = "timed out waiting"


def take_away(kubectl: Kubectl) -> None:
    """Remove everything of the sandbox from a cluster, whatever of it is there. Safe to run again.

    Raises `ConfigError` if the cluster holds no sandbox.
    """
    marks = ",".join(f"{key}={value}" for key, value in MARK.items())
    names = [item["metadata"]["name"] for item in kubectl.found("namespaces", "-l", marks)]
    if not names:
        raise ConfigError(f"context {kubectl.context}: holds nothing that `try` made; nothing to remove")
    with step("stop Flux"):
        kubectl("delete", "deployments", "--all", "-n", FLUX_NAMESPACE, "--ignore-not-found")
    with step("end what operators hold"):
        _end_custom_objects(kubectl)
    with step("remove volumes, namespaces and what belongs to none"):
        held = kubectl.found("namespaces", "-l", NAMESPACES)
        spaces = [*(item["metadata"]["name"] for item in held), FLUX_NAMESPACE]
        _give_up_volumes(kubectl, {*spaces, NAME})
        _remove_labelled(kubectl, kubectl.kinds(namespaced=False))
        _end_namespaces(kubectl, spaces)
        _remove_labelled(kubectl, kubectl.kinds(namespaced=True), "--all-namespaces")
    with step("take the label off the nodes, and remove what stood beside the platform"):
        for item in kubectl.found("nodes", "-l", marks):
            kubectl("label", "node", item["metadata"]["name"], f"{ROLE_LABEL}-", *(f"{key}-" for key in MARK))
        # It goes last: by it a run that was killed finds what is left.
        kubectl("delete", "namespaces", NAME, "--ignore-not-found", "--timeout=540s")
    shutil.rmtree(FOLDER, ignore_errors=True)
    say(f"{FOLDER}: removed")


def _end_custom_objects(kubectl: Kubectl) -> None:
    """Delete our CRDs, and so their objects: operators let go of them, and where none does, they are let go here."""
    for kind in FIRST:
        _delete_labelled(kubectl, [kind])
    definitions = {item["metadata"]["name"]: item for label in OURS for item in kubectl.found("crds", "-l", label)}
    if not definitions:
        return
    flux = [name for name in definitions if name.endswith(".fluxcd.io")]
    kubectl("delete", "crds", *definitions, "--ignore-not-found", "--wait=false")
    _let_go(kubectl, flux)  # who would is stopped already
    others = [name for name in definitions if name not in flux]
    if others:
        kubectl("wait", "--for=delete", *(f"crd/{name}" for name in others), OPERATORS_END, refused=TIMED_OUT)
        _let_go(kubectl, others)
    kubectl("delete", "crds", *definitions, "--ignore-not-found", "--timeout=120s")


def _let_go(kubectl: Kubectl, kinds: Iterable[str]) -> None:
    """Take the finalizers off the objects of kinds that are on their way out."""
    for kind in kinds:
        for item in kubectl.found(kind, "--all-namespaces", "--ignore-not-found"):
            _let_go_of(kubectl, item)


def _let_go_of(kubectl: Kubectl, item: dict[str, Any]) -> None:
    metadata, (group, _, version) = item["metadata"], item["apiVersion"].rpartition("/")
    if metadata.get("finalizers"):
        kind = f"{item['kind']}.{version}.{group}" if group else item["kind"]
        where = ("-n", metadata["namespace"]) if "namespace" in metadata else ()
        nothing = json.dumps({"metadata": {"finalizers": None}})
        kubectl("patch", kind, metadata["name"], *where, "--type=merge", "--patch", nothing, refused="not found")


def _give_up_volumes(kubectl: Kubectl, namespaces: set[str]) -> None:
    """Let volumes go with their claims, whatever their class says: what is in them is thrown away."""
    patch = json.dumps({"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    for volume in kubectl.found("persistentvolumes"):
        claim: dict[str, Any] = volume["spec"].get("claimRef") or {}
        if claim.get("namespace") in namespaces:
            kubectl("patch", "persistentvolume", volume["metadata"]["name"], "--patch", patch)


def _end_namespaces(kubectl: Kubectl, names: list[str]) -> None:
    """Delete namespaces; what still has a finalizer after a while had an operator that is gone, and is let go."""
    kubectl("delete", "namespaces", *names, "--ignore-not-found", "--wait=false")
    named = [f"namespace/{name}" for name in names]
    kubectl("wait", "--for=delete", *named, OPERATORS_END, refused=TIMED_OUT)
    left = {item["metadata"]["name"] for item in kubectl.found("namespaces")} & {*names}
    for name in left:
        kinds = [kind for kind in kubectl.kinds(namespaced=True) if kind not in NOT_DELETED]
        for item in kubectl.found(",".join(kinds), "-n", name):
            _let_go_of(kubectl, item)
    kubectl("delete", "namespaces", *names, "--ignore-not-found", "--timeout=540s")


def _remove_labelled(kubectl: Kubectl, kinds: list[str], *where: str) -> None:
    # Namespaces are ended by name: Flux labels them too, and they take the longest.
    _delete_labelled(kubectl, [kind for kind in kinds if kind not in NOT_DELETED], *where)


NOT_DELETED = ("namespaces", "nodes", "persistentvolumes", "events", "events.events.k8s.io")


def _delete_labelled(kubectl: Kubectl, kinds: list[str], *where: str) -> None:
    for label in OURS:
        kubectl("delete", ",".join(kinds), "-l", label, *where, "--ignore-not-found", "--timeout=120s")

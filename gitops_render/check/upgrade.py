"""Policies on what an upgrade of Kubernetes needs: APIs that are still served, and nodes that can be drained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constructs_lib.kit import Manifest
from gitops_render.check.model import NESTED, Found, Tree, at, joined, tree_policy
from gitops_render.objects import Item

REMOVED: dict[str, tuple[frozenset[str], str]] = {
    "flowcontrol.apiserver.k8s.io/v1beta3": (frozenset({"FlowSchema", "PriorityLevelConfiguration"}), "1.32"),
    "flowcontrol.apiserver.k8s.io/v1beta2": (frozenset({"FlowSchema", "PriorityLevelConfiguration"}), "1.29"),
    "storage.k8s.io/v1beta1": (frozenset({"CSIStorageCapacity"}), "1.27"),
    "flowcontrol.apiserver.k8s.io/v1beta1": (frozenset({"FlowSchema", "PriorityLevelConfiguration"}), "1.26"),
    "autoscaling/v2beta2": (frozenset({"HorizontalPodAutoscaler"}), "1.26"),
    "autoscaling/v2beta1": (frozenset({"HorizontalPodAutoscaler"}), "1.25"),
    "batch/v1beta1": (frozenset({"CronJob"}), "1.25"),
    "discovery.k8s.io/v1beta1": (frozenset({"EndpointSlice"}), "1.25"),
    "events.k8s.io/v1beta1": (frozenset({"Event"}), "1.25"),
    "policy/v1beta1": (frozenset({"PodDisruptionBudget", "PodSecurityPolicy"}), "1.25"),
    "node.k8s.io/v1beta1": (frozenset({"RuntimeClass"}), "1.25"),
    "networking.k8s.io/v1beta1": (frozenset({"Ingress", "IngressClass"}), "1.22"),
    "extensions/v1beta1": (frozenset({"Ingress"}), "1.22"),
    "rbac.authorization.k8s.io/v1beta1": (
        frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}),
        "1.22",
    ),
    "admissionregistration.k8s.io/v1beta1": (
        frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}),
        "1.22",
    ),
    "apiextensions.k8s.io/v1beta1": (frozenset({"CustomResourceDefinition"}), "1.22"),
}
"""The kinds that a minor version no longer serves under an API version (kubernetes.io, Deprecated API Migration Guide).

The guide names none after 1.32, and was last read for 1.37.
"""

BUDGETS = ("podDisruptionBudget", "pdb")
"""Where charts and custom resources have their budgets, beside their replicas."""
REPLICAS = ("replicas", "replicaCount", "instances")


@tree_policy("UPG001", "an upgraded cluster no longer takes the object", "use the current version")
def _served_after(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        kinds, minor = REMOVED.get(item.data["apiVersion"], (frozenset[str](), ""))
        if item.kind in kinds:
            yield at(item, f"is of {item.data['apiVersion']}, which Kubernetes {minor} no longer serves")


@tree_policy(
    "UPG002", "a node whose pods may not go is never drained, nor upgraded", "let one pod go, or add a replica"
)
def _drained(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        if item.kind == "PodDisruptionBudget":
            if blocks(item.spec, _selected(tree, item)):
                yield at(item, "lets no pod go")
        elif item.group == "postgresql.cnpg.io" and item.kind == "Cluster":
            if item.spec.get("instances") == 1 and item.spec.get("enablePDB") is not False:
                yield at(item, "has a budget for its only instance")
        else:
            yield from (at(item, f"lets no pod go (spec.{path})") for path in _nested(item.spec))


def blocks(budget: Manifest, replicas: int | None) -> bool:
    """Say whether a budget never lets one of `replicas` pods go; their number may be unknown."""
    if budget.get("enabled") is False or budget.get("enable") is False:
        return False
    least, most = budget.get("minAvailable"), budget.get("maxUnavailable")
    if str(most) in {"0", "0%"} or str(least) == "100%":
        return True
    return isinstance(least, int) and replicas is not None and least >= max(replicas, 1)


def _selected(tree: Tree, budget: Item) -> int | None:
    """Return how many pods a budget selects, if they are of this tree."""
    labels = budget.spec.get("selector", {}).get("matchLabels", {}).items()
    for item in tree.of("Deployment", "StatefulSet"):
        pods = item.spec.get("template", {}).get("metadata", {}).get("labels", {})
        if item.namespace == budget.namespace and labels <= pods.items():
            return item.spec.get("replicas", 1)
    return None


def _nested(value: Any) -> Iterator[str]:
    """Yield the paths of the budgets inside `value` that block."""
    if isinstance(value, dict):
        for key in BUDGETS:
            if isinstance(budget := value.get(key), dict) and blocks(budget, _replicas(value)):
                yield key
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        if isinstance(inner, NESTED):
            yield from (joined(key, path) for path in _nested(inner))


def _replicas(beside: Manifest) -> int | None:
    """Return the replicas that stand beside a budget, or one level below as Traefik's chart has them."""
    places = (beside, beside.get("deployment") or {})
    return next((place[key] for place in places for key in REPLICAS if isinstance(place.get(key), int)), None)

"""Policies on networks, transport, data and pods."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.kit import (
    DNS,
    FLUX_NAMESPACE,
    FORCE,
    KEEP_IN_FLUX,
    PRUNE,
    Pods,
)
from constructs_lib.platform import OPERATORS
from gitops_render.charts import chart_name
from gitops_render.check.model import Found, Tree, at, tree_policy
from gitops_render.objects import Item

NOT_OURS = {FLUX_NAMESPACE, DNS.namespace}
"""Flux brings policies of its own, and DigitalOcean owns the other."""

HOLD_DATA = {(group, kind) for operator in OPERATORS for group in operator.groups for kind in operator.data}
"""The kinds that hold data, as the components say."""
OWN_BUDGETS = {group: label for operator in OPERATORS if (label := operator.budget_label) for group in operator.groups}
"""Operators that make a PodDisruptionBudget themselves, and the label by which theirs selects pods."""
WEBHOOKS = {operator.name: link for operator in OPERATORS if (link := operator.webhook) is not None}
"""The call of the API server to the webhook of each chart or repository that brings one."""


@tree_policy("NET001", "without it every pod talks to every other", "add a default-deny for Ingress and Egress")
def _closed(tree: Tree) -> Iterator[Found]:
    closed = {
        item.namespace
        for item in tree.of("NetworkPolicy")
        if not item.spec.get("podSelector")
        and {"Ingress", "Egress"} <= set(item.spec.get("policyTypes", ()))
        and not item.spec.get("ingress")
        and not item.spec.get("egress")
    }
    for item in tree.of("Namespace"):
        if item.name not in closed | NOT_OURS:
            yield at(item, "has no default-deny")


@tree_policy("NET002", "the API server cannot call a webhook that is closed, and refuses every object", "open its port")
def _webhooks_reachable(tree: Tree) -> Iterator[Found]:
    for item in tree.of("HelmRelease", "GitRepository"):
        name = chart_name(item.spec) if item.kind == "HelmRelease" else item.name
        link = WEBHOOKS.get(name)
        if link is None or not isinstance(link.target, Pods):
            continue
        namespace = item.spec.get("targetNamespace", link.target.namespace)
        if link.ports[0] not in set(_open_ports(tree, namespace)):
            yield at(item, f"has a webhook on port {link.ports[0]}, which is closed in {namespace}")


def _open_ports(tree: Tree, namespace: str) -> Iterator[int]:
    for policy in tree.of("NetworkPolicy"):
        for rule in policy.spec.get("ingress", ()) if policy.namespace == namespace else ():
            if "from" not in rule:
                yield from (port["port"] for port in rule.get("ports", ()))


@tree_policy("TLS001", "what is not encrypted can be read on the way", "switch TLS on, and plain listeners off")
def _services_speak_tls(tree: Tree) -> Iterator[Found]:
    for item in tree.of("RabbitmqCluster"):
        if item.spec.get("tls", {}).get("disableNonTLSListeners") is not True:
            yield at(item, "listens without TLS")
    for item in tree.of("Valkey"):
        if item.spec.get("tls") is not True or item.spec.get("anonymousAuth") is not False:
            yield at(item, "lets clients in without TLS or without a password")


@tree_policy("TLS002", "what leaves the cluster without TLS can be read on the way", "use https://, and name a secret")
def _outside_is_tls(tree: Tree) -> Iterator[Found]:
    for item in tree.of("ObjectStore"):
        if not str(item.spec.get("configuration", {}).get("endpointURL", "")).startswith("https://"):
            yield at(item, "writes backups without TLS")
    for item in tree.of("Ingress"):
        if not item.spec.get("tls"):
            yield at(item, "serves without TLS")


@tree_policy("DATA001", "an object that is gone from Git takes its data with it", f"annotate it {PRUNE}: disabled")
def _kept(tree: Tree) -> Iterator[Found]:
    for item in tree.items:
        holds_data = (item.group, item.kind) in HOLD_DATA
        if (holds_data or item.kind in ("Namespace", "PersistentVolumeClaim")) and not _is_kept(item):
            yield at(item, "is pruned when it is removed from Git")
        if item.annotations.get(FORCE) == "enabled":
            yield at(item, "is deleted and made anew where it cannot be changed")


def _is_kept(item: Item) -> bool:
    return KEEP_IN_FLUX.items() <= item.annotations.items()


@tree_policy("DATA002", "of five fields the first is read as seconds: daily is hourly", "use six fields, and plugin")
def _backups(tree: Tree) -> Iterator[Found]:
    for item in tree.of("ScheduledBackup"):
        if len(str(item.spec.get("schedule", "")).split()) != 6:
            yield at(item, f"has the schedule '{item.spec.get('schedule')}'")
        if item.spec.get("method") != "plugin":
            yield at(item, "backs up by a method that the operator removes in 1.31")


@tree_policy("DATA003", "a pod with two budgets cannot be evicted, and its node never drains", "remove this budget")
def _one_budget(tree: Tree) -> Iterator[Found]:
    for item in tree.of("PodDisruptionBudget"):
        labels = item.spec.get("selector", {}).get("matchLabels", {})
        for group, label in OWN_BUDGETS.items():
            owners = {other.name for other in tree.items if other.group == group and other.namespace == item.namespace}
            if labels.get(label) in owners:
                yield at(item, "selects pods for which their operator makes a budget")


@tree_policy("POD001", "a pod without a memory limit can take its node down", "set requests, and a limit for memory")
def _sized(tree: Tree) -> Iterator[Found]:
    sized = ("Cluster", "RabbitmqCluster", "Valkey", "OpenTelemetryCollector")
    for item in tree.of(*sized):
        sizes = item.spec.get("resources", {})
        if not ({"cpu", "memory"} <= set(sizes.get("requests", {})) and "memory" in sizes.get("limits", {})):
            yield at(item, "has no requests, or no limit for memory")

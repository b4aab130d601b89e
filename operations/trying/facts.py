"""What `try` has to know of a cluster before it touches it, and may refuse it for.

Upstream: kubernetes.io, "Reserve Compute Resources" (allocatable), "ServiceCIDR" (from 1.33 on), "Change the default
StorageClass" (the annotation of the default one).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException
from kubernetes.utils.quantity import parse_quantity
from urllib3.exceptions import HTTPError

from constructs_lib.base.errors import ConfigError, shown
from constructs_lib.kit import FLUX_NAMESPACE, ROLE_LABEL, SYSTEM_ROLE, SYSTEM_TAINT, Room
from operations.clients.http import TIMEOUT_SECONDS

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
POD_SLOTS = 110
OVER = ("Succeeded", "Failed")
"""The phases of pods that hold nothing any more."""


class Node(NamedTuple):
    """A node that takes the platform's pods, what it has free for them, and whether it has the label already."""

    name: str
    free: Room
    labelled: bool


class Facts(NamedTuple):
    """What an environment's file says of an existing cluster."""

    context: str
    minor: str
    storage_class: str
    nodes: tuple[Node, ...]
    node_range: IPv4Network
    pod_range: IPv4Network
    service_range: IPv4Network

    @property
    def least(self) -> Room:
        """What each of the nodes has free."""
        rooms = [node.free for node in self.nodes]
        return Room(min(room.cpu for room in rooms), min(room.memory for room in rooms), POD_SLOTS)


def facts(client: kubernetes.ApiClient, context: str) -> Facts:
    """Return what is to be known of a cluster.

    Raises `ConfigError` in a sentence if it does not answer, gives too few rights, or lacks what the platform needs.
    """
    core = kubernetes.CoreV1Api(client)
    _refuse_lesser_rights(client, context)
    version: Any = _asked(context, kubernetes.VersionApi(client).get_code)
    nodes: list[Any] = _asked(context, core.list_node).items
    pods: list[Any] = _asked(context, core.list_pod_for_all_namespaces).items
    classes: list[Any] = _asked(context, kubernetes.StorageV1Api(client).list_storage_class).items
    own = _pod_networks(nodes, pods)
    if not own:
        raise ConfigError(f"context {context}: no pod has an IPv4 address; network policies tell them by it")
    return Facts(
        context,
        f"{version.major}.{re.sub('[^0-9].*', '', version.minor)}",
        storage_class(context, {item.metadata.name: item.metadata.annotations or {} for item in classes}),
        usable(context, nodes, pods),
        around([IPv4Network(item.address) for node in nodes for item in _internal(node)], 24),
        around(own, 16),
        _service_range(client, context),
    )


def refuse_other_platform(client: kubernetes.ApiClient, context: str, namespace: str, mark: Mapping[str, str]) -> None:
    """Raise `ConfigError` if Flux is there already and was not brought by `try`: it is somebody's platform."""
    core = kubernetes.CoreV1Api(client)
    found: list[Any] = _asked(context, core.list_namespace).items
    labels = {item.metadata.name: item.metadata.labels or {} for item in found}
    tried = any(mark.items() <= held.items() for held in labels.values())
    for name in (FLUX_NAMESPACE, namespace):
        if name in labels and not tried:
            why = f"its cluster has the namespace {name} already, which `try` did not make"
            raise ConfigError(f"context {context}: {why}; take a cluster without it, such as a new one of kind")


def storage_class(context: str, classes: Mapping[str, Mapping[str, str]]) -> str:
    """Return the class of volumes: the default one, or the only one. Raises `ConfigError` if nobody says which."""
    default = [name for name, notes in classes.items() if notes.get(DEFAULT_CLASS) == "true"]
    if len(default or classes) == 1:
        return next(iter(default or classes))
    found = f"found {', '.join(sorted(classes))}" if classes else "found none"
    advice = f"give one the annotation {DEFAULT_CLASS}: 'true'"
    raise ConfigError(f"context {context}: no StorageClass is the default one, {found}; {advice}")


def usable(context: str, nodes: Iterable[Any], pods: Iterable[Any]) -> tuple[Node, ...]:
    """Return the nodes for the platform: those with the label, or else all that take its pods."""
    asked: dict[str, list[Any]] = {}
    for pod in (pod for pod in pods if pod.status.phase not in OVER):
        asked.setdefault(pod.spec.node_name, []).append(pod)
    takers = [node for node in nodes if _takes(node)]
    found = [_node(node, asked.get(node.metadata.name, [])) for node in takers]
    if not found:
        raise ConfigError(f"context {context}: no node is Ready and takes pods; see `kubectl get nodes`")
    return tuple([node for node in found if node.labelled] or found)


def _takes(node: Any) -> bool:
    ready = any(item.type == "Ready" and item.status == "True" for item in node.status.conditions or ())
    repels = [taint for taint in node.spec.taints or () if taint.effect != "PreferNoSchedule"]
    return ready and not node.spec.unschedulable and all(taint.key == SYSTEM_TAINT["key"] for taint in repels)


def _node(node: Any, pods: Sequence[Any]) -> Node:
    there = node.status.allocatable
    cpu, memory = (parse_quantity(there[unit]) - sum(_requested(pod, unit) for pod in pods) for unit in _UNITS)
    labelled = (node.metadata.labels or {}).get(ROLE_LABEL) == SYSTEM_ROLE
    return Node(node.metadata.name, Room(int(cpu * 1000), int(memory / 2**20), POD_SLOTS), labelled)


def _requested(pod: Any, unit: str) -> Any:
    found = (container.resources.requests for container in pod.spec.containers if container.resources)
    return sum(parse_quantity(requests[unit]) for requests in found if requests and unit in requests)


def around(networks: Sequence[IPv4Network], widest: int) -> IPv4Network:
    """Return the smallest range, no smaller than of this prefix, that holds all networks."""
    found = networks[0].supernet(new_prefix=min(widest, networks[0].prefixlen))
    while not all(network.subnet_of(found) for network in networks):
        found = found.supernet()
    return found


def _internal(node: Any) -> list[Any]:
    return [item for item in node.status.addresses if item.type == "InternalIP" and "." in item.address]


def _pod_networks(nodes: Iterable[Any], pods: Iterable[Any]) -> list[IPv4Network]:
    """Return the ranges that nodes give to pods; where nobody says so, the addresses of the pods that are there."""
    given = [IPv4Network(cidr) for node in nodes for cidr in node.spec.pod_cidrs or () if "." in cidr]
    inside = (pod.status.pod_ip for pod in pods if not pod.spec.host_network)
    return given or [IPv4Network(address) for address in inside if address and "." in address]


def _service_range(client: kubernetes.ApiClient, context: str) -> IPv4Network:
    listed = kubernetes.CustomObjectsApi(client).list_cluster_custom_object
    items: list[Any] = _asked(context, listed, "networking.k8s.io", "v1", "servicecidrs")["items"]
    own = [IPv4Network(cidr) for item in items for cidr in item["spec"]["cidrs"] if "." in cidr]
    if not own:
        raise ConfigError(f"context {context}: no Service has an IPv4 address; network policies tell them by it")
    return around(own, 32)


def _refuse_lesser_rights(client: kubernetes.ApiClient, context: str) -> None:
    everything = {"spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}}}
    review: Any = _asked(context, kubernetes.AuthorizationV1Api(client).create_self_subject_access_review, everything)
    if not review.status.allowed:
        raise ConfigError(f"context {context}: its user is no administrator of the cluster; `try` installs operators")


def _asked(context: str, call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments, _request_timeout=TIMEOUT_SECONDS)
    except ApiException as error:
        why = f"the cluster answers {error.status} ({shown(error.reason)})"
    except HTTPError as error:
        why = f"no answer from the cluster ({type(error).__name__}); does it run, and is it reached from here?"
    raise ConfigError(f"context {context}: {why}")


_UNITS = ("cpu", "memory")

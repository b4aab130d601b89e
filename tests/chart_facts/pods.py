"""Facts of the pods that a chart makes: labels, ports, resources, placement, security, and Secrets that they read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constructs_lib.kit import Manifest

WORKLOADS = ("DaemonSet", "Deployment", "Job", "StatefulSet")
OURS = ("pod_security_context", "resources", "security_context")
CHANGING_LABELS = ("app.kubernetes.io/version", "chart", "helm.sh/chart")


def pods(objects: list[Manifest], namespace: str) -> Manifest:
    """Return the facts of every workload's pods, by kind and name."""
    workloads = (item for item in objects if item["kind"] in WORKLOADS)
    return {f"{item['kind']}/{item['metadata']['name']}": _pod(item, namespace) for item in workloads}


def secrets(objects: list[Manifest]) -> dict[str, list[str]]:
    """Return the Secrets, with their keys, that pods need and that the release does not make itself."""
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "Secret"}
    made |= {item["spec"]["secretName"] for item in objects if item["kind"] == "Certificate"}
    found: dict[str, set[str]] = {}
    for item in objects:
        if item["kind"] in WORKLOADS:
            for name, keys in _read(item["spec"]["template"]["spec"]):
                found.setdefault(name, set()).update(keys)
    return {name: sorted(keys) for name, keys in found.items() if name not in made}


def lasting(labels: dict[str, str]) -> dict[str, str]:
    """Return labels without those that say no more than a version."""
    return {key: value for key, value in labels.items() if key not in CHANGING_LABELS}


def _pod(workload: Manifest, namespace: str) -> Manifest:
    template = workload["spec"]["template"]
    spec, labels = template["spec"], template["metadata"].get("labels", {})
    containers = {item["name"]: _container(item, spec) for item in spec["containers"]}
    containers |= {f"init {item['name']}": _container(item, spec) for item in spec.get("initContainers") or ()}
    facts = {
        "namespace": workload["metadata"].get("namespace", namespace),
        "labels": lasting(labels),
        "containers": containers,
        "node_selector": spec.get("nodeSelector"),
        "tolerations": [item.get("key", "any") for item in spec.get("tolerations") or ()],
        "host_network": spec.get("hostNetwork"),
        "replicas": workload["spec"].get("replicas"),
        "volumes": _volumes(workload["spec"], spec),
    }
    return {key: value for key, value in facts.items() if value}


def _volumes(workload: Manifest, pod: Manifest) -> int:
    """Return how many volumes of its own each pod has, or all its pods share."""
    shared = (item for item in pod.get("volumes") or () if "persistentVolumeClaim" in item)
    return len(workload.get("volumeClaimTemplates") or ()) + len(list(shared))


def _container(container: Manifest, pod: Manifest) -> Manifest:
    resources = container.get("resources") or {}
    facts = {
        "ports": {_port_name(port): _port(port) for port in container.get("ports") or ()},
        "requests": resources.get("requests"),
        "limits": resources.get("limits"),
        "security": sorted(_security(container.get("securityContext") or {}, pod.get("securityContext") or {})),
    }
    return {key: value for key, value in facts.items() if value}


def with_fields(container: Manifest) -> Manifest:
    """Return the facts of a container that an operator makes with `resources` and `security_context` of ours."""
    facts = {key: value for key, value in container.items() if key not in OURS}
    facts |= {key: value for key, value in (container.get("resources") or {}).items() if value}
    if "security_context" in container:
        contexts = (container.get(key) or {} for key in ("security_context", "pod_security_context"))
        facts["security"] = sorted(_security(*contexts))
    return facts


def _port_name(port: Manifest) -> str:
    return port.get("name") or str(port["containerPort"])


def _port(port: Manifest) -> int | str:
    """Return the number of a port; with its protocol where that is not TCP."""
    number, protocol = port["containerPort"], port.get("protocol", "TCP")
    return number if protocol == "TCP" else f"{number}/{protocol}"


def _security(container: Manifest, pod: Manifest) -> Iterator[str]:
    """Yield what the pod security standard `restricted` asks for, and a root file system that cannot be written."""
    both = {**pod, **container}
    if "ALL" in container.get("capabilities", {}).get("drop", ()):
        yield "drops all"
    if container.get("allowPrivilegeEscalation") is False:
        yield "no escalation"
    if both.get("runAsNonRoot"):
        yield "not root"
    if container.get("readOnlyRootFilesystem"):
        yield "read-only"
    if both.get("seccompProfile"):
        yield "seccomp"


def _read(pod: Manifest) -> Iterator[tuple[str, set[str]]]:
    for container in (*pod["containers"], *(pod.get("initContainers") or ())):
        sources = [item["valueFrom"].get("secretKeyRef") for item in container.get("env") or () if "valueFrom" in item]
        sources += [item.get("secretRef") for item in container.get("envFrom") or ()]
        for source in filter(None, sources):
            yield from _needed(source, source["name"], {source["key"]} if "key" in source else set())
    for volume in pod.get("volumes") or ():
        if source := volume.get("secret"):
            yield from _needed(source, source["secretName"], {item["key"] for item in source.get("items") or ()})


def _needed(source: dict[str, Any], name: str, keys: set[str]) -> Iterator[tuple[str, set[str]]]:
    if not source.get("optional"):
        yield name, keys

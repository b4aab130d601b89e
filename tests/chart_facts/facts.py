"""Facts of one release, from the objects that helm made of its chart and our values."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Iterable, Iterator

from constructs_lib.kit import Manifest, group
from tests.chart_facts.pods import lasting, pods, secrets
from tests.chart_facts.rights import mighty_rights, secret_readers

MONITORS = {"PodMonitor": "podMetricsEndpoints", "ServiceMonitor": "endpoints"}
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
HOOK = "helm.sh/hook"
OWN_GROUPS = re.compile(r"(apps|autoscaling|batch|policy|.*\.k8s\.io)?")
"""The API groups of Kubernetes itself, in whose kinds a null is a field that is not set."""
KEEP = "helm.sh/resource-policy"


def release_facts(
    objects: list[Manifest], crds_in_folder: Iterable[str], namespace: str, waited_for: Container[str] = ()
) -> Manifest:
    """Return the facts of a release; those of a status for kinds that are `waited_for`. What is empty is left out."""
    facts = {
        "pods": pods(objects, namespace),
        "services": {_name(item): _service(item, namespace) for item in _of(objects, "Service")},
        "monitors": {f"{item['kind']}/{_name(item)}": monitor_facts(item) for item in _of(objects, *MONITORS)},
        "cluster_roles": {_name(item): _digest(item.get("rules")) for item in _of(objects, "ClusterRole")},
        "reads_secrets_everywhere": sorted(secret_readers(objects)),
        "mighty_rights": mighty_rights(objects),
        "webhooks": {f"{item['kind']}/{_name(item)}": _webhooks(item) for item in _of(objects, *WEBHOOKS)},
        "needs_secrets": secrets(objects),
        "crds": _crds(objects, set(crds_in_folder)),
        "status": {name: fields for name, fields in _statuses(objects) if name in waited_for},
        "hooks": {f"{item['kind']}/{_name(item)}": hook for item in objects if (hook := _annotation(item, HOOK))},
        "nulls": sorted({line for item in objects for line in nulls(item)}),
        "makes": sorted({kind_of(item) for item in objects if not _annotation(item, HOOK)}),
    }
    return {key: value for key, value in facts.items() if value}


def nulls(item: Manifest) -> Iterator[str]:
    """Yield the fields of a custom resource that are null, which server-side apply refuses (`must be of type …`)."""
    if not OWN_GROUPS.fullmatch(group(item["apiVersion"])):
        yield from (f"{item['kind']}/{_name(item)}{path}" for path in _nulls(item))


def _nulls(value: object, path: str = "") -> Iterator[str]:
    if value is None:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _nulls(one, f"{path}.{key}")


def _of(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    return [item for item in objects if item["kind"] in kinds]


def _name(item: Manifest) -> str:
    return item["metadata"]["name"]


def kind_of(item: Manifest) -> str:
    """Return the group and kind of an object, or those that are named as in one; without a group for the core's."""
    return f"{group(item['apiVersion'])}/{item['kind']}".lstrip("/")


def _annotation(item: Manifest, name: str) -> str | None:
    return (item["metadata"].get("annotations") or {}).get(name)


def _service(service: Manifest, namespace: str) -> Manifest:
    spec, metadata = service["spec"], service["metadata"]
    return {
        "namespace": metadata.get("namespace", namespace),
        "labels": lasting(metadata.get("labels", {})),
        "ports": {str(port.get("name", port["port"])): _target(port) for port in spec["ports"]},
        "selector": spec.get("selector", {}),
    }


def _target(port: Manifest) -> str:
    return f"{port['port']} -> {port.get('targetPort', port['port'])}"


def monitor_facts(monitor: Manifest) -> Manifest:
    """Return what a monitor selects, in which namespaces, and what it scrapes there."""
    spec = monitor["spec"]
    namespaces = spec.get("namespaceSelector", {}).get("matchNames") or [monitor["metadata"].get("namespace")]
    return {
        "namespaces": namespaces,
        "selector": spec["selector"] | {"matchLabels": lasting(spec["selector"].get("matchLabels", {}))},
        "endpoints": [_endpoint(item) for item in spec[MONITORS[monitor["kind"]]]],
    }


def _endpoint(item: Manifest) -> Manifest:
    """Return the scheme and the port: `port` is that of the service (of the pod for a PodMonitor), or its number."""
    scheme = item.get("scheme", "http").lower()
    if "targetPort" in item:
        return {"target_port": item["targetPort"], "scheme": scheme}
    return {"port": item.get("port") or item["portNumber"], "scheme": scheme}


def _digest(rules: object) -> str:
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:12]


def _webhooks(configuration: Manifest) -> list[Manifest]:
    """Return what each service of the configuration guards, together for all webhooks that fail alike."""
    guarded: dict[tuple[str, str], set[str]] = {}
    for webhook in configuration.get("webhooks") or ():
        service = webhook["clientConfig"]["service"]
        address = f"{service['namespace']}/{service['name']}:{service.get('port', 443)}"
        kinds = guarded.setdefault((address, webhook.get("failurePolicy", "Fail")), set())
        kinds.update(kind for rule in webhook["rules"] for kind in _guarded(rule))
    return [
        {"service": service, "failure": failure, "guards": sorted(kinds)}
        for (service, failure), kinds in sorted(guarded.items())
    ]


def _guarded(rule: Manifest) -> set[str]:
    return {f"{name}/{kind}".lstrip("/") for name in rule["apiGroups"] for kind in rule["resources"]}


def _crds(objects: list[Manifest], in_folder: set[str]) -> dict[str, list[str]]:
    """Return the CRDs by what becomes of them when the release goes; helm never deletes what is in `crds/`."""
    fate: dict[str, list[str]] = {}
    for item in _of(objects, "CustomResourceDefinition"):
        name = _name(item)
        how = "in folder" if name in in_folder else "kept" if _annotation(item, KEEP) == "keep" else "deleted"
        fate.setdefault(how, []).append(name)
    return {how: sorted(names) for how, names in fate.items()}


def _statuses(objects: list[Manifest]) -> Iterator[tuple[str, list[str]]]:
    """Yield the fields of the status of each kind that a CRD brings, in the version that is stored."""
    for item in _of(objects, "CustomResourceDefinition"):
        spec = item["spec"]
        (stored,) = (version for version in spec["versions"] if version["storage"])
        status = stored["schema"]["openAPIV3Schema"].get("properties", {}).get("status", {})
        yield f"{spec['group']}/{spec['names']['plural']}", sorted(status.get("properties", ()))

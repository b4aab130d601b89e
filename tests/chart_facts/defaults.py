"""Rules for what charts and operators bring of their own: each yields a line for everything that breaks it."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.kit import SYSTEM_NODE_SELECTOR, Layer, Manifest
from tests.chart_facts.cluster import Pod, Running
from tests.chart_facts.facts import nulls
from tests.chart_facts.rights import mighty_rights, secret_readers


def cpu_limited(running: Running) -> Iterator[str]:
    """Yield the containers whose CPU is limited, which only throttles them."""
    return (where for where, container in _containers(running) if container.get("limits", {}).get("cpu"))


def memory_not_limited(running: Running) -> Iterator[str]:
    """Yield the containers without a limit of memory, or that request none or no CPU."""
    for where, container in _containers(running):
        asked, limits = container.get("requests", {}), container.get("limits", {})
        if "memory" not in limits or not {"cpu", "memory"} <= asked.keys():
            yield where


def not_hardened(running: Running) -> Iterator[str]:
    """Yield the containers that may gain privileges or keep capabilities."""
    wanted = {"drops all", "no escalation"}
    return (where for where, container in _containers(running) if not wanted <= set(container.get("security", ())))


def off_the_system_pool(running: Running) -> Iterator[str]:
    """Yield the pods that are not placed on the system pool."""
    selector = SYSTEM_NODE_SELECTOR.items()
    return (_where(pod) for pod in _platform(running) if not selector <= pod.facts.get("node_selector", {}).items())


def reads_all_secrets(running: Running) -> Iterator[str]:
    """Yield the roles, of charts and of ours, by which something reads Secrets beyond its own namespace."""
    yield from (role for _, facts in running.facts for role in facts.get("reads_secrets_everywhere", ()))
    yield from secret_readers(running.own)


def mighty_right(running: Running) -> Iterator[str]:
    """Yield the rights, of charts and of ours, by which an account may get more than its role says."""
    theirs = (item for _, facts in running.facts for item in facts.get("mighty_rights", {}).items())
    for role, rights in (*theirs, *mighty_rights(running.own).items()):
        yield from (f"{role}: {right}" for right in rights)


def crd_goes_with_its_release(running: Running) -> Iterator[str]:
    """Yield the CRDs, and with them all objects of their kinds, that are deleted when their release is."""
    return (name for _, facts in running.facts for name in facts.get("crds", {}).get("deleted", ()))


def null_field(running: Running) -> Iterator[str]:
    """Yield the fields of custom resources that are null, as charts and our own code make them."""
    theirs = (line for _, facts in running.facts for line in facts.get("nulls", ()))
    yield from (*theirs, *(line for item in running.own for line in nulls(item)))


def release_guards_itself(running: Running) -> Iterator[str]:
    """Yield the kinds that a release makes while its own webhook, which does not answer yet, refuses them."""
    for release, facts in running.facts:
        made = {resource(kind) for kind in facts.get("makes", ())} | ({"pods"} if facts.get("pods") else set())
        for webhooks in facts.get("webhooks", {}).values():
            refused = {kind for item in webhooks if item["failure"] == "Fail" for kind in item["guards"]}
            yield from (f"{release}: {kind}" for kind in made & refused)


def secret_is_missing(running: Running) -> Iterator[str]:
    """Yield the Secrets, or keys of theirs, that a release needs and that the environment does not make."""
    made = {name: keys for layer in running.env.layers for _, name, keys in secrets_of(layer)}
    for release, facts in running.facts:
        for name, keys in facts.get("needs_secrets", {}).items():
            if not set(keys) <= made.get(name, set()) or name not in made:
                yield f"{release}: {name} {' '.join(keys)}"


def _platform(running: Running) -> list[Pod]:
    """Return the pods in the platform's own namespaces."""
    return [pod for pod in running.pods if pod.namespace != "kube-system"]


def _where(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"


def _containers(running: Running) -> Iterator[tuple[str, Manifest]]:
    for pod in _platform(running):
        for name, container in pod.containers.items():
            yield f"{_where(pod)} {name}", container


def resource(kind: str) -> str:
    """Return the name by which rules know a kind: `PrometheusRule` is `prometheusrules`."""
    group, _, name = kind.rpartition("/")
    if name.endswith("y") and name[-2] not in "aeiou":
        name = f"{name[:-1]}ie"
    elif name.endswith("s"):
        name += "e"
    return f"{group}/{name}s".lower().lstrip("/")


def secrets_of(layer: Layer) -> Iterator[tuple[str, str, set[str]]]:
    """Yield the namespace and name of each Secret that the objects of a layer make, with its keys."""
    for item in layer.manifests:
        namespace = item["metadata"].get("namespace", "")
        if item["kind"] == "ExternalSecret":
            template = item["spec"]["target"].get("template", {}).get("data", {})
            keys = {one["secretKey"] for one in item["spec"]["data"]} | set(template)
            yield namespace, item["spec"]["target"]["name"], keys
        if item["kind"] == "Certificate":
            yield namespace, item["spec"]["secretName"], {"ca.crt", "tls.crt", "tls.key"}

"""What runs in an environment by the committed facts: what charts make, and what operators make of our objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from constructs_lib.environment import Environment
from constructs_lib.kit import Manifest, Pods, Port, Udp
from tests.chart_facts.committed import facts_in, operands
from tests.chart_facts.facts import MONITORS, monitor_facts
from tests.chart_facts.pods import with_fields
from tests.constructs_lib.platform.collected import COMPONENTS

FIELD = re.compile(r"<([A-Za-z0-9.]+)>")
"""A field of the object for which an operator makes something."""


@dataclass(frozen=True)
class Pod:
    """The pods of a workload, or of what an operator makes."""

    name: str
    namespace: str
    labels: dict[str, str]
    facts: Manifest

    @property
    def containers(self) -> dict[str, Manifest]:
        """The facts of each container."""
        return self.facts["containers"]

    @property
    def ports(self) -> dict[str, int]:
        """The TCP ports, by name."""
        return {name: number for name, number in self._all_ports() if isinstance(number, int)}

    def listens(self, port: Port) -> bool:
        """Return whether it has a port, or one in a range."""
        if isinstance(port, Udp):
            return f"{port.number}/UDP" in dict(self._all_ports()).values()
        first, last = port if isinstance(port, tuple) else (port, port)
        return any(first <= number <= last for number in self.ports.values())

    def _all_ports(self) -> list[tuple[str, int | str]]:
        return [item for container in self.containers.values() for item in container.get("ports", {}).items()]

    def is_in(self, pods: Pods) -> bool:
        """Return whether these are among the pods that a link names."""
        return self.namespace == pods.namespace and pods.labels.items() <= self.labels.items()


class Running:
    """All that the facts say of an environment; `facts` has an entry for each release and each object with operands."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.facts: list[tuple[str, Manifest]] = [*facts_in(env).items(), *_operands(env)]

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """Every kind of pod."""
        found = (
            Pod(name, pod["namespace"], pod["labels"], pod)
            for _, facts in self.facts
            for name, pod in facts.get("pods", {}).items()
        )
        return tuple(found)

    @property
    def own(self) -> list[Manifest]:
        """Every object that is ours and no release."""
        return [item for layer in self.env.layers for item in layer.manifests]

    @cached_property
    def services(self) -> tuple[tuple[str, Manifest], ...]:
        """Every Service, with its name."""
        return tuple(item for _, facts in self.facts for item in facts.get("services", {}).items())

    @cached_property
    def monitors(self) -> tuple[tuple[str, Manifest], ...]:
        """Every monitor, with its kind and name: those of charts and operators, and our own."""
        theirs = [item for _, facts in self.facts for item in facts.get("monitors", {}).items()]
        manifests = [item for item in self.own if item["kind"] in MONITORS]
        return (*theirs, *((f"{item['kind']}/{item['metadata']['name']}", monitor_facts(item)) for item in manifests))

    def selected(self, service: Manifest) -> list[Pod]:
        """Return the pods behind a service; none where it has no selector."""
        wanted = Pods(service["namespace"], "", service.get("selector", {}))
        return [pod for pod in self.pods if wanted.labels and pod.is_in(wanted)]


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    """Return whether a label selector takes an object with these labels."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all(_expression(item, labels) for item in selector.get("matchExpressions", ()))


def _expression(item: Manifest, labels: dict[str, str]) -> bool:
    value = labels.get(item["key"])
    match item["operator"]:
        case "In":
            return value in item["values"]
        case "NotIn":
            return value not in item["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def _operands(env: Environment) -> Iterator[tuple[str, Manifest]]:
    """Yield what is made for each object that has operands."""
    for component in COMPONENTS:
        if component in env.platform.enabled:
            for entry in operands(component):
                for item in _makers(env, entry["for"]):
                    yield f"{item['kind']}/{item['metadata']['name']}", _made_for(item, entry)


def _makers(env: Environment, wanted: str) -> list[Manifest]:
    """Return the objects of a kind (`Cluster`), or with a name too (`Release/tempo`)."""
    kind, _, name = wanted.partition("/")
    return [item for item in _objects(env) if item["kind"] == kind and name in ("", item["metadata"]["name"])]


def _objects(env: Environment) -> Iterator[Manifest]:
    yield {"kind": "Kubernetes", "metadata": {"name": "kubernetes", "namespace": "kube-system"}}
    yield {"kind": "Flux", "metadata": {"name": "flux", "namespace": "flux-system"}}
    for name in env.applications:
        yield {"kind": "Application", "metadata": {"name": name, "namespace": name}}
    for layer in env.layers:
        yield from layer.manifests
        for item in layer.releases:
            named = {"name": item.name, "namespace": item.namespace}
            yield {"kind": "Release", "metadata": named, "values": item.values}


def _made_for(item: Manifest, entry: Manifest) -> Manifest:
    """Return the facts of an entry with the fields of the object in place of `<their.path>`, and its namespace."""
    facts: Manifest = _filled(entry, item)
    for pod in facts.get("pods", {}).values():
        pod["containers"] = {name: with_fields(container) for name, container in pod["containers"].items()}
    namespace = entry.get("namespace", item["metadata"].get("namespace", ""))
    for kind in ("pods", "services"):
        facts[kind] = {name: {"namespace": namespace, **one} for name, one in facts.get(kind, {}).items()}
    return facts


def _filled(value: Any, item: Manifest) -> Any:
    if isinstance(value, dict):
        return {_filled(key, item): _filled(inner, item) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, item) for inner in value]
    if not isinstance(value, str):
        return value
    whole = FIELD.fullmatch(value)
    return _field(item, whole[1]) if whole else FIELD.sub(lambda found: str(_field(item, found[1])), value)


def _field(item: Any, path: str) -> Any:
    """Return what is at a path in an object; nothing where there is no such field."""
    for key in path.split("."):
        item = item[int(key)] if isinstance(item, list) else (item or {}).get(key)
    return item

"""Rules of the network: each yields a line for everything that breaks it in an environment."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.kit import Manifest, Outside, Pods
from constructs_lib.platform.scrape import PROMETHEUS
from tests.chart_facts.cluster import Pod, Running, matches
from tests.chart_facts.policies import FOR_ALL, Policies, has_port


def pod_without_policy(running: Running) -> Iterator[str]:
    """Yield the pods of closed namespaces that no policy opens anything for."""
    policies = Policies(running.env)
    for pod in running.pods:
        names = {item["metadata"]["name"] for item in policies.of(pod)}
        if names and names <= set(FOR_ALL):
            yield f"{pod.namespace}/{pod.name}"


def link_without_pod(running: Running) -> Iterator[str]:
    """Yield the links that start at no pod, or end at a port that no pod has; what applications run is unknown."""
    apps = [app.pods for app in running.env.applications.values()]
    for source, target, ports in running.env.platform.links(running.env):
        if isinstance(source, Pods) and source not in apps and not _pods(running, source):
            yield f"{_end(source)} -> {_end(target)}: nothing is {_end(source)}"
        if isinstance(target, Pods) and target not in apps:
            found = _pods(running, target)
            closed = (port for port in ports if not any(pod.listens(port) for pod in found))
            yield from (f"{_end(source)} -> {_end(target)}: {port}" for port in closed)


def monitor_without_answer(running: Running) -> Iterator[str]:
    """Yield the monitors that find nothing, whose port is closed to Prometheus, or that ask with the wrong scheme."""
    (prometheus,), policies = _pods(running, PROMETHEUS), Policies(running.env)
    for name, monitor, scheme, targets in _scraped(running):
        if not targets:
            yield f"{monitor['namespaces'][0]}/{name}: finds no port"
        for pod, port, number in targets:
            where = f"{monitor['namespaces'][0]}/{name} {number}"
            if not policies.allow(prometheus, pod, number):
                yield f"{where}: is closed"
            if pod is not None and scheme != ("https" if "https" in port or "tls" in port else "http"):
                yield f"{where}: asks with {scheme}"


def open_to_prometheus_for_nothing(running: Running) -> Iterator[str]:
    """Yield the ports of pods that Prometheus may reach by a link and that no monitor names."""
    known = {(pod.name, number) for *_, targets in _scraped(running) for pod, _, number in targets if pod is not None}
    apps = [app.pods for app in running.env.applications.values()]
    for source, target, ports in running.env.platform.links(running.env):
        if source == PROMETHEUS and isinstance(target, Pods) and target not in apps:
            read = {number for pod in _pods(running, target) for name, number in known if name == pod.name}
            yield from (f"{_end(target)}: {port}" for port in ports if port not in read)


def port_for_nobody(running: Running) -> Iterator[str]:
    """Yield the ports that pods announce and that no policy opens: what a chart lets listen, and nobody asked for."""
    policies = Policies(running.env)
    for pod in running.pods:
        closed = [item["spec"] for item in policies.of(pod) if "Ingress" in item["spec"]["policyTypes"]]
        rules = [rule for spec in closed for rule in spec.get("ingress", ())]
        for name, number in pod.ports.items():
            if closed and not any(has_port(rule, number) for rule in rules):
                yield f"{pod.namespace}/{pod.name}: {name} {number}"


def webhook_closed(running: Running) -> Iterator[str]:
    """Yield the webhooks whose pods the API server, which is outside, cannot reach."""
    policies, services = Policies(running.env), {f"{one['namespace']}/{name}": one for name, one in running.services}
    for _, facts in running.facts:
        for name, webhooks in facts.get("webhooks", {}).items():
            for address in sorted({item["service"] for item in webhooks}):
                place, _, port = address.rpartition(":")
                found = _behind(running, services.get(place, {}), port)
                if not found or not all(policies.allow(None, pod, number) for pod, _, number in found):
                    yield f"{name} at {address}"


def _pods(running: Running, wanted: Pods) -> list[Pod]:
    return [pod for pod in running.pods if pod.is_in(wanted)]


def _end(end: Pods | Outside) -> str:
    return f"{end.namespace}/{end.name}" if isinstance(end, Pods) else "outside"


Targets = list[tuple[Pod | None, str, int]]
"""Pods, or an address outside, with the name and the number of a port."""


def _scraped(running: Running) -> Iterator[tuple[str, Manifest, str, Targets]]:
    """Yield each endpoint of each monitor: its monitor's name and facts, its scheme, and what it reaches."""
    for name, monitor in running.monitors:
        find = _by_pods if name.startswith("PodMonitor/") else _by_services
        for endpoint in monitor["endpoints"]:
            yield name, monitor, endpoint["scheme"], find(running, monitor, endpoint)


def _by_pods(running: Running, monitor: Manifest, endpoint: Manifest) -> Targets:
    pods = [pod for pod in running.pods if pod.namespace in monitor["namespaces"]]
    return _with_port([pod for pod in pods if matches(monitor["selector"], pod.labels)], endpoint["port"])


def _by_services(running: Running, monitor: Manifest, endpoint: Manifest) -> Targets:
    near = [one for _, one in running.services if one["namespace"] in monitor["namespaces"]]
    chosen = [one for one in near if matches(monitor["selector"], one.get("labels", {}))]
    if "target_port" in endpoint:
        return [found for one in chosen for found in _with_port(running.selected(one), endpoint["target_port"])]
    return [found for one in chosen for found in _behind(running, one, endpoint["port"])]


def _with_port(pods: list[Pod], port: str | int) -> Targets:
    """Return the port of this name or number of each pod that has it."""
    ports = ((pod, name, number) for pod in pods for name, number in pod.ports.items())
    return [(pod, name, number) for pod, name, number in ports if str(port) in (name, str(number))]


def _behind(running: Running, service: Manifest, port: str | int) -> Targets:
    """Return what a service sends to from its port of this name or number: pods, or an address without a selector."""
    found: Targets = []
    for name, sent in service.get("ports", {}).items():
        number, target = sent.split(" -> ")
        if port in (name, number):
            outside: Targets = [(None, target, int(target))] if not service.get("selector") else []
            found += outside or _with_port(running.selected(service), target)
    return found

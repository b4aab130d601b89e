"""Nobody reaches what no link and no application declares: rendered policies, read by an engine that is not ours.

Peers are the pods that charts and operators make by the committed facts, one of no account in each closed namespace,
and addresses outside. Each policy is left out and widened once, to see that the engine and the comparison notice.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from ipaddress import ip_network
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from constructs_lib.applications import Application
from constructs_lib.environment import Environment
from constructs_lib.environment.applications import SERVICES as COMPONENTS
from constructs_lib.kit import Link, Manifest, Pods, Udp
from tests.chart_facts.cluster import Pod, Running
from tests.e2e.conftest import require
from tests.e2e.declared import AnyPort, Declared, Peer
from tests.e2e.reach import TOOL, Question, Ways, way, ways
from tests.support import environment, environment_data, everything

UNUSED = 4242
"""A port of each peer that no link names alone."""
INTERNET = "the internet"
NOBODY = "nobody"
"""A pod with no label of the platform's, as an intruder would be."""
ANOTHER = ", another"
"""How the name of a second pod of a kind ends, where they talk among themselves."""
SERVICES = {
    "postgres": ("databases", "cnpg.io/cluster", 5432),
    "rabbitmq": ("messaging", "app.kubernetes.io/name", 5671),
    "valkey": ("cache", "app.kubernetes.io/instance", 6379),
}
"""Where a service's pods are, which label of theirs has their cluster's name, and the port for applications."""


def two_applications() -> Environment:
    """Return an environment with two clusters of each service, and applications that use different ones, or nothing."""
    changes: dict[str, Any] = {}
    for component in COMPONENTS.values():
        first = environment_data()["platform"][component]["clusters"][0]
        changes[f"platform__{component}"] = {"clusters": [first, {**first, "name": "other"}]}
    shop = {
        "hosts": {"www": {"port": 8080}, "api": {"port": 8081, "public": False}},
        "uses": {
            "postgres": {"main": {}},
            "rabbitmq": {"other": {}},
            "reaches": {"api.example.org": 993},
            "bucket": {"a": {}},
        },
    }
    blog = {
        "hosts": {"blog": {"port": 8082}},
        "uses": {"postgres": {"other": {}}, "valkey": {"main": {}}, "calls": ["shop"], "vault": True},
    }
    applications = {"shop": shop, "blog": blog, "idle": {}, "gone": {**blog, "hosts": {}, "retired": True}}
    return environment(applications={name: {"owner": "a", **app} for name, app in applications.items()}, **changes)


ENVIRONMENTS = {
    **{name: lambda name=name: environment(name) for name in ("sandbox", "staging", "production")},
    "everything": everything,
    "two applications": two_applications,
}


class Walled(NamedTuple):
    """An environment's policies, who stands behind them, and the ways that its links declare."""

    env: Environment
    policies: list[Manifest]
    peers: dict[str, Peer]
    declared: Ways

    def found(self) -> Ways:
        """Return the ways that the policies leave open."""
        return ways(self.peers, Question(self.policies))[0]


@cache
def walled(name: str) -> Walled:
    """Return an environment, of which each is looked at once."""
    require(TOOL)
    env = ENVIRONMENTS[name]()
    policies = [item for layer in env.layers for item in layer.manifests if item["kind"] == "NetworkPolicy"]
    closed = {item["metadata"]["namespace"] for item in policies}
    peers = _peers(env, closed)
    return Walled(env, policies, peers, _declared(Declared(env.platform.links(env), env.inside, closed), peers))


def _declared(declared: Declared, peers: dict[str, Peer]) -> Ways:
    """Return the ways that are declared between peers."""
    out, into = set[str](), set[str]()
    for (source, one), (target, other) in permutations(peers.items(), 2):
        meant = declared.meant(one, other)
        for port in other.ports:
            if declared.lets_out(one, meant, port):
                out.add(way(source, target, port))
            if declared.lets_in(other, meant, port):
                into.add(way(source, target, port))
    return Ways(frozenset(out), frozenset(into))


def _peers(env: Environment, closed: set[str]) -> dict[str, Peer]:
    """Return everybody in and around an environment, by name."""
    addresses = ip_network(env.inside.ranges[0]).hosts()
    links = tuple(env.platform.links(env))
    every = frozenset({*_first_ports(links), UNUSED})
    pods = [pod for pod in Running(env).pods if not pod.facts.get("host_network")]
    datagrams: Manifest = {"containers": {"any": {"ports": {"any": f"{UNUSED}/UDP"}}}}
    pods += [replace(pod, name=f"{pod.name}{ANOTHER}") for pod in pods if _is_among_its_own(pod, links)]
    pods += [Pod(NOBODY, name, {"app": "any"}, datagrams) for name in sorted(closed)]
    return {
        INTERNET: Peer("192.0.2.1", every),
        "metadata": Peer("169.254.169.254", every),
        "a node": Peer(str(next(addresses)), every),
        **{f"{pod.namespace}/{pod.name}": _pod(pod, links, str(next(addresses))) for pod in pods},
    }


def _pod(pod: Pod, links: tuple[Link, ...], address: str) -> Peer:
    """Return the pod with the ports that it has, and those that links say it has."""
    named = [name for container in pod.containers.values() for name in container.get("ports", {}).values()]
    datagrams = {Udp(int(name.partition("/")[0])) for name in named if isinstance(name, str)}
    linked = _first_ports(link for link in links if isinstance(link.target, Pods) and pod.is_in(link.target))
    ports = frozenset({*pod.ports.values(), *datagrams, *linked, UNUSED})
    return Peer(address, ports, Pods(pod.namespace, pod.name, pod.labels))


def _is_among_its_own(pod: Pod, links: tuple[Link, ...]) -> bool:
    """Whether pods such as this talk among themselves."""
    both = ((link.source, link.target) for link in links)
    return any(all(isinstance(end, Pods) and pod.is_in(end) for end in ends) for ends in both)


def _first_ports(links: Iterable[Link]) -> set[AnyPort]:
    return {port[0] if isinstance(port, tuple) else port for link in links for port in link.ports}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_policies_open_what_links_declare_and_nothing_else(name: str) -> None:
    here = walled(name)
    found = here.found()
    assert sorted(found.out ^ here.declared.out) == []
    assert sorted(found.into ^ here.declared.into) == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_application_reaches_what_it_uses_and_nothing_else(name: str) -> None:
    here = walled(name)
    through = here.found().through
    for app in here.env.applications.values():
        own = f"{app.name}/{NOBODY} -> "
        assert {one for one in through if one.startswith(own)} == set(_used(here, app)), app.name


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_application_is_reached_by_the_ingress_and_prometheus_alone(name: str) -> None:
    here = walled(name)
    through = here.found().through
    for app in here.env.applications.values():
        own = f"{app.name}/{NOBODY}"
        prometheus = "observability/StatefulSet/prometheus-kube-prometheus-stack"
        ports = (port for port in here.peers[own].ports if isinstance(port, int))
        wanted = {way(prometheus, own, port) for port in ports}
        wanted |= {way("traefik/Deployment/traefik", own, port) for port in app.public_ports}
        callers = {other.name for other in here.env.applications.values() if app.name in other.reached.calls}
        calling = (name for name, peer in here.peers.items() if peer.pods and peer.pods.namespace in callers)
        wanted |= {way(other, own, port) for other in calling for port in app.ports}
        found = {one.replace(ANOTHER, "") for one in through if f" -> {own} " in one}
        assert found == wanted, app.name


def _used(here: Walled, app: Application) -> Iterator[str]:
    """Yield the ways that an application has by what it says of itself, without any link."""
    own = f"{app.name}/{NOBODY}"
    for name, peer in here.peers.items():
        for port in peer.ports:
            if peer.pods is not None and _is_used(here.env, app, peer.pods, port):
                yield way(own, name, port)
    outside = {*app.reached.reaches.values(), *((8200,) if app.reached.vault else ())}
    outside |= {443} if app.reached.bucket else set()
    yield from (way(own, INTERNET, port) for port in outside)


def _is_used(env: Environment, app: Application, pods: Pods, port: AnyPort) -> bool:
    if pods.namespace in app.reached.calls:
        return port in env.applications[pods.namespace].ports
    if pods.namespace == "kube-system":
        return port in (53, Udp(53))
    if pods.labels.get("app.kubernetes.io/name") == "gateway-collector":
        return port in (4317, 4318)
    return any(
        pods.namespace == namespace and port == number and pods.labels.get(label) in getattr(app.reached, service)
        for service, (namespace, label, number) in SERVICES.items()
    )


def test_no_policy_can_be_left_out() -> None:
    here = walled("two applications")
    closing = {item["metadata"]["namespace"] for item in here.policies if _closes_all(item) and not _is_last(item)}
    needed = [item for item in here.policies if not (_is_last(item) and item["metadata"]["namespace"] in closing)]
    trees = (
        (str(out["metadata"]), out["metadata"]["namespace"], [item for item in here.policies if item is not out])
        for out in needed
    )
    for what, found, declared in _changed(here, trees):
        assert found != declared, f"nobody notices that {what} is gone"


def _closes_all(policy: Manifest) -> bool:
    spec = policy["spec"]
    return spec["podSelector"] == {} and {"Ingress", "Egress"} <= {*spec["policyTypes"]}


def _is_last(policy: Manifest) -> bool:
    """Whether it is what closes a namespace where no other policy takes all of its pods."""
    return policy["metadata"]["name"] == "default-deny"


def test_no_policy_can_be_widened() -> None:
    here = walled("two applications")
    for what, found, declared in _changed(here, _wider(here.policies)):
        assert found.out - declared.out or found.into - declared.into, f"nobody notices {what}"


def _changed(here: Walled, trees: Iterable[tuple[str, str, list[Manifest]]]) -> Iterator[tuple[str, Ways, Ways]]:
    """Yield for each tree, with a change in one namespace, what is open there, and what is declared."""
    changes = list(trees)
    answers = ways(here.peers, *(Question(policies, namespace) for _, namespace, policies in changes))
    for (what, namespace, _), found in zip(changes, answers, strict=True):
        yield what, found, here.declared.about(namespace)


def _wider(policies: list[Manifest]) -> Iterator[tuple[str, str, list[Manifest]]]:
    """Yield the policies with a rule of one of them wider, each once: without its ports, and without its peers."""
    for position, policy in enumerate(policies):
        for side, peers in (("egress", "to"), ("ingress", "from")):
            rules = policy["spec"].get(side, ())
            by_port = [port for rule in rules if peers not in rule for port in rule["ports"]]
            for number, rule in enumerate(rules):
                # What another rule opens to everybody is no wider without its peers.
                open_already = all(port in by_port for port in rule["ports"])
                for field in {"ports"} if open_already else {"ports", peers}:
                    changed = copy.deepcopy(policy)
                    del changed["spec"][side][number][field]
                    what = f"{policy['metadata']}: {side} without {field}"
                    yield what, policy["metadata"]["namespace"], _with(policies, position, changed)


def _with(policies: list[Manifest], position: int, changed: Manifest) -> list[Manifest]:
    return [*policies[:position], changed, *policies[position + 1 :]]


@pytest.mark.parametrize("name", ["shop", "blog"])
def test_a_use_that_is_no_longer_declared_is_noticed(name: str) -> None:
    here = walled("two applications")
    app = here.env.applications[name]
    reached = {one for one in here.found().through if one.startswith(f"{name}/{NOBODY} -> ")}
    for use in app.uses.model_fields_set:
        less = app.model_copy(update={"uses": app.uses.model_copy(update={use: type(getattr(app.uses, use))()})})
        assert reached - set(_used(here, less)), f"nobody notices {use}"

"""Every link of an environment with everything on gets through on real machines, and nothing else does.

Each set of pods that a link names is one pod with its labels, which serves the ports that links name and one more. The
policies are those that are rendered; what they should let through is read from the links alone.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import pytest

from constructs_lib.kit import Link, Pods, Udp
from tests.e2e.declared import AnyPort, Declared, Peer
from tests.e2e.node import network, pods
from tests.e2e.node.cluster import PATIENCE, NodeCluster
from tests.e2e.node.conftest import REPORT
from tests.support import everything

UNUSED = 4242
"""The port of each pod that no link names alone."""


OUTSIDE = (
    Peer(network.CONTROL_PLANE, frozenset({6443})),
    Peer(network.METADATA, frozenset({80})),
    Peer(network.INTERNET, frozenset({80})),
)


class Walls(NamedTuple):
    """A cluster with a pod for each end of a link, and the ways that links declare between them."""

    cluster: NodeCluster
    declared: Declared
    peers: list[Peer]


@pytest.fixture(scope="module")
def walls(node: NodeCluster) -> Walls:
    """Return a cluster behind the walls of an environment with everything on."""
    env = everything()
    items = [item for layer in env.layers for item in layer.objects if isinstance(item, dict)]
    policies = [item for item in items if item["kind"] == "NetworkPolicy"]
    closed = sorted({item["metadata"]["namespace"] for item in policies})
    links = list(env.platform.links(env))
    ends = {
        (end.namespace, end.name): end
        for link in links
        for end in (link.source, link.target)
        if isinstance(end, Pods) and end.namespace in closed
    }
    served = {key: frozenset(_served(links, end)) for key, end in ends.items()}
    node.apply(*env.platform.namespaces(env))
    node.apply(*policies, *(_pod(end, served[key]) for key, end in ends.items()))
    for namespace in closed:
        node.await_pods(namespace)
    found = {key: node.get("pod", key[1], key[0]) or {} for key in ends}
    inside = [Peer(found[key]["status"]["podIP"], served[key], end) for key, end in ends.items()]
    return Walls(node, Declared(links, env.inside, closed), [*inside, *OUTSIDE])


def test_what_links_allow_gets_through_and_nothing_else(walls: Walls) -> None:
    expected = {peer: _expected(walls, peer) for peer in walls.peers if peer.pods is not None}
    said = [is_open for targets in expected.values() for is_open in targets.values()]
    deadline = time.monotonic() + PATIENCE
    while (expected := _wrong(walls, expected)) and time.monotonic() < deadline:
        pass  # machines enforce new policies by and by, and a busy one answers late
    assert expected == {}
    REPORT.append(f"walls: {said.count(True)} ways are open, {said.count(False)} closed")


def test_the_api_server_reaches_webhooks_and_nothing_else(walls: Walls) -> None:
    api_server = OUTSIDE[0]
    for target in walls.peers:
        for name, port in _targets(target).items():
            if target.pods is not None and isinstance(port, int):
                expected = walls.declared.is_open(api_server, target, port)
                patience = 30 if expected else 2
                assert walls.cluster.middle.call(partial(_connects, target.address, port, patience)) == expected, name


def _expected(walls: Walls, source: Peer) -> dict[str, bool]:
    """Return for each port of everybody else whether the source should reach it."""
    others = (target for target in walls.peers if target is not source)
    return {
        name: walls.declared.is_open(source, target, port)
        for target in others
        for name, port in _targets(target).items()
    }


def _targets(peer: Peer) -> dict[str, AnyPort]:
    """Return each port of a peer, by what the probe calls it."""
    return {
        f"udp:{peer.address}:{port.number}" if isinstance(port, Udp) else f"tcp:{peer.address}:{port}": port
        for port in peer.ports
    }


def _wrong(walls: Walls, expected: dict[Peer, dict[str, bool]]) -> dict[Peer, dict[str, bool]]:
    """Return of what is expected of each source what is not so."""

    def of(source: Peer) -> dict[str, bool]:
        assert source.pods is not None
        wanted = expected[source]
        found = walls.cluster.reaches(source.pods.namespace, source.pods.name, *wanted)
        return {name: is_open for name, is_open in wanted.items() if found[name] != is_open}

    with ThreadPoolExecutor(4) as threads:
        return {source: wrong for source, wrong in zip(expected, threads.map(of, expected), strict=True) if wrong}


def _served(links: Iterable[Link], end: Pods) -> Iterable[AnyPort]:
    yield UNUSED
    for link in links:
        if link.target == end:
            yield from (ports[0] if isinstance(ports, tuple) else ports for ports in link.ports)


def _pod(end: Pods, served: Iterable[AnyPort]) -> dict[str, object]:
    listening = (f"udp:{port.number}" if isinstance(port, Udp) else f"tcp:{port}" for port in served)
    made = pods.pod(end.namespace, end.name, "serve", *sorted(listening))
    made["metadata"]["labels"] = dict(end.labels)
    return made


def _connects(address: str, port: int, patience: float) -> bool:
    try:
        socket.create_connection((address, port), timeout=patience).close()
    except OSError:
        return False
    return True

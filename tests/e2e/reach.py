"""What network policies leave open to each peer, by cyclonus (`tools/reach`), which knows no code of ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

from constructs_lib.kit import Manifest, Udp
from tests.e2e.cluster import BIN
from tests.e2e.declared import AnyPort, Peer

TOOL = "reach"


class Ways(NamedTuple):
    """The ports of others to which each peer is let out, and by which it is let in, all as `way` writes them."""

    out: frozenset[str]
    into: frozenset[str]

    def about(self, namespace: str) -> Ways:
        """Return the ways that start or end in a namespace."""
        ends = (f"{namespace}/", f" -> {namespace}/")
        return Ways(*(frozenset(one for one in side if one.startswith(ends[0]) or ends[1] in one) for side in self))

    @property
    def through(self) -> frozenset[str]:
        """What is open on both sides."""
        return self.out & self.into


def way(source: str, target: str, port: AnyPort) -> str:
    """Return how a way is written: `a -> b TCP/1`."""
    number, protocol = (port.number, "UDP") if isinstance(port, Udp) else (port, "TCP")
    return f"{source} -> {target} {protocol}/{number}"


class Question(NamedTuple):
    """Policies, and the namespace at either end of the ways that are asked for; without it all."""

    policies: list[Manifest]
    about: str = ""


def ways(peers: Mapping[str, Peer], *asked: Question) -> list[Ways]:
    """Return the ways that are open between peers, for each question."""
    them = [_asked(name, peer) for name, peer in peers.items()]
    questions = "".join(json.dumps({"peers": them, **one._asdict()}) for one in asked)
    done = subprocess.run([BIN / TOOL], input=questions, capture_output=True, text=True, check=True)
    answers = (json.loads(line) for line in done.stdout.splitlines())
    return [Ways(_written(answer["out"]), _written(answer["in"])) for answer in answers]


def _written(found: dict[str, list[str]]) -> frozenset[str]:
    return frozenset(f"{source} -> {other}" for source, others in found.items() for other in others)


def _asked(name: str, peer: Peer) -> dict[str, object]:
    ports = [
        {"number": port.number, "protocol": "UDP"} if isinstance(port, Udp) else {"number": port, "protocol": "TCP"}
        for port in peer.ports
    ]
    pod = {"namespace": peer.pods.namespace, "labels": peer.pods.labels} if peer.pods else {}
    return {"name": name, "address": peer.address, "ports": ports, **pod}

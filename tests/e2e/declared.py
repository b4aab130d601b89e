"""What links say that anybody may reach, read from the links alone: rendered policies are held against it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from constructs_lib.kit import INTERNET, Inside, Link, Outside, Pods, Udp
from constructs_lib.kit.network import DNS, DNS_PORTS, LINK_LOCAL, Port

AnyPort = int | Udp
"""One port, of TCP or of UDP."""


class Peer(NamedTuple):
    """Somebody to talk to: a pod with the namespace and labels of `pods`, or an address outside."""

    address: str
    ports: frozenset[AnyPort]
    pods: Pods | None = None


class Declared:
    """The ways between peers that links open, where `closed` namespaces have no others."""

    def __init__(self, links: Iterable[Link], inside: Inside, closed: Collection[str]) -> None:
        self._links = [*links, *(Link(Pods(name, ""), DNS, DNS_PORTS) for name in sorted(closed))]
        self._inside, self._closed = inside, closed

    def is_open(self, source: Peer, target: Peer, port: AnyPort) -> bool:
        """Whether links let it out of the source and into the target; outside, nobody closes anything."""
        meant = self.meant(source, target)
        return self.lets_out(source, meant, port) and self.lets_in(target, meant, port)

    def meant(self, source: Peer, target: Peer) -> list[Link]:
        """Return the links of which these are the ends."""
        return [link for link in self._links if self._is_end(source, link.source) and self._is_end(target, link.target)]

    def lets_out(self, source: Peer, meant: Iterable[Link], port: AnyPort) -> bool:
        """Whether the source may go to a port, by the links that mean it and the target."""
        if source.pods is None or source.pods.namespace not in self._closed:
            return True
        return any(isinstance(link.source, Pods) and _names(link, port) for link in meant)

    def lets_in(self, target: Peer, meant: Iterable[Link], port: AnyPort) -> bool:
        """Whether one may come to a port of the target, by the links that mean it and the source."""
        if target.pods is None or target.pods.namespace not in self._closed:
            return True
        return any(isinstance(link.target, Pods) and _names(link, port) for link in meant)

    def _is_end(self, peer: Peer, end: Pods | Outside) -> bool:
        if isinstance(end, Outside):
            if end == INTERNET:
                inside = _is_in(peer, *self._inside.ranges, LINK_LOCAL)
                return not inside or _is_in(peer, *self._inside.neighbours)
            return not end.ranges or _is_in(peer, *end.ranges)
        own = peer.pods
        return own is not None and own.namespace == end.namespace and end.labels.items() <= own.labels.items()


def _is_in(peer: Peer, *ranges: str) -> bool:
    return any(ip_address(peer.address) in ip_network(cidr) for cidr in ranges)


def _names(link: Link, port: AnyPort) -> bool:
    return any(_takes(ports, port) for ports in link.ports)


def _takes(ports: Port, port: AnyPort) -> bool:
    if isinstance(port, int) and isinstance(ports, tuple):
        return ports[0] <= port <= ports[1]
    return port == ports

"""Network policies from links: who talks to whom, and on which port. Nothing else is open.

The control plane of DOKS is no pod, so that no selector names it, and its calls may arrive with the identity of a node
(cert-manager/cert-manager#8285, linode/apl-core#3470): rules from and to it are by port alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

from constructs_lib.base.neighbour import Neighbour
from constructs_lib.kit.objects import Manifest, manifest


@dataclass(frozen=True)
class Udp:
    """A UDP port."""

    number: int


Port = int | tuple[int, int] | Udp
"""A TCP port, the first and the last of a range of them, or a UDP port."""


@dataclass(frozen=True)
class Pods:
    """The pods of a namespace with all of `labels`; without labels every pod. `name` names their policy."""

    namespace: str
    name: str
    labels: dict[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True)
class Deployment(Pods):
    """The pods of the Deployment `deployment`."""

    deployment: str = field(kw_only=True)


@dataclass(frozen=True)
class StatefulSet(Pods):
    """The pods of the StatefulSet `statefulset`, of which `needed` must be ready to serve."""

    statefulset: str = field(kw_only=True)
    needed: int = field(default=1, kw_only=True)


@dataclass(frozen=True)
class Outside:
    """Peers that are no pods: those in `ranges` (CIDR), or those that `name` says."""

    ranges: tuple[str, ...] = ()
    name: str = ""


ANYWHERE = Outside()
"""Whoever comes in: the load balancer's address is that of a node, or of nobody."""
INTERNET = Outside(name="the internet")
"""Whatever is not inside of the environment (`Inside`)."""
API_SERVER = Outside(name="the API server")
"""It is no pod, and no address of it is known before it is there: only the port says that it is meant."""
NODES = Outside(name="the nodes")
"""What answers on addresses of nodes: with Cilium no range names them (cilium/cilium#20550), so the port alone does."""
API_SERVER_PORTS: tuple[Port, ...] = (443, 6443, 16443)
"""The Service's port, upstream's own, and that of the proxy that DOKS may run on each node."""
API_SERVER_ENTITIES = ["kube-apiserver", "host", "remote-node"]
"""As Cilium knows it: as itself, or as the proxy or the konnectivity agent on a node (docs/decisions/0028)."""
LINK_LOCAL = "169.254.0.0/16"
"""Where a machine learns about itself, its secrets too (RFC 3927; docs.digitalocean.com, Droplet metadata)."""
HTTPS: tuple[Port, ...] = (443,)

DNS = Pods("kube-system", "dns", {"k8s-app": "kube-dns"})
DNS_PORTS: tuple[Port, ...] = (Udp(53), 53)
"""A question goes by UDP, and by TCP when its answer is long (RFC 7766)."""


class Inside(NamedTuple):
    """The ranges (CIDR) of pods, Services and nodes, and those parts of them in which somebody else answers."""

    ranges: tuple[str, ...]
    neighbours: tuple[str, ...] = ()


class Link(NamedTuple):
    """Traffic from `source` to `target` on `ports`."""

    source: Pods | Outside
    target: Pods | Outside
    ports: tuple[Port, ...]


def ways_to(place: Neighbour | None, ports: tuple[Port, ...], *sources: Pods) -> Iterator[Link]:
    """Yield the links of pods to something that is outside, at these ports, or else where it stands inside."""
    target = INTERNET if place is None else Pods(place.namespace, "neighbour")
    return (Link(source, target, ports if place is None else (place.port,)) for source in sources)


def to_api_server(*sources: Pods) -> Iterator[Link]:
    """Yield the links of pods that call the Kubernetes API."""
    return (Link(source, API_SERVER, API_SERVER_PORTS) for source in sources)


def webhook(target: Pods, port: int) -> Link:
    """Return the link by which the API server calls an admission webhook of `target`."""
    return Link(API_SERVER, target, (port,))


def default_policies(namespace: str) -> Iterator[Manifest]:
    """Yield the policies that close a namespace but for questions to DNS."""
    yield _policy(namespace, "default-deny", {}, {"policyTypes": ["Ingress", "Egress"]})
    egress = [{"to": _pods(DNS, namespace), "ports": [_port(port) for port in DNS_PORTS]}]
    yield _policy(namespace, "allow-dns", {}, {"policyTypes": ["Egress"], "egress": egress})


def link_policies(links: Iterable[Link], namespaces: Iterable[str], inside: Inside) -> Iterator[Manifest]:
    """Yield one policy for each set of pods that a link starts or ends at, in the given namespaces."""
    ends: dict[tuple[str, str], Pods] = {}
    rules: dict[tuple[str, str], dict[str, list[Manifest]]] = {}
    closed = set(namespaces)
    for link in links:
        for pods, direction in ((link.source, "egress"), (link.target, "ingress")):
            if not isinstance(pods, Pods) or pods.namespace not in closed:
                continue
            key = (pods.namespace, pods.name)
            if ends.setdefault(key, pods) != pods:
                raise ValueError(f"two sets of pods are named {pods.name} in {pods.namespace}")
            rule = _rule(link, direction, pods.namespace, inside)
            directions = rules.setdefault(key, {})
            if rule not in directions.setdefault(direction, []):
                directions[direction].append(rule)
    for key, directions in sorted(rules.items()):
        types = [direction.capitalize() for direction in sorted(directions, reverse=True)]
        yield _policy(*key, ends[key].labels, {"policyTypes": types, **directions})


def cilium_policies(links: Iterable[Link], namespaces: Iterable[str]) -> Iterator[Manifest]:
    """Yield one CiliumNetworkPolicy for each set of pods that the API server calls or is called by."""
    closed = set(namespaces)
    ends: dict[tuple[str, str], tuple[Pods, dict[str, list[Manifest]]]] = {}
    for link in links:
        way, pods = ("egress", link.source) if link.target == API_SERVER else ("ingress", link.target)
        if API_SERVER not in link or not isinstance(pods, Pods) or pods.namespace not in closed:
            continue
        rule = {"toEntities" if way == "egress" else "fromEntities": API_SERVER_ENTITIES, "toPorts": [_cilium(link)]}
        rules = ends.setdefault((pods.namespace, pods.name), (pods, {}))[1].setdefault(way, [])
        if rule not in rules:
            rules.append(rule)
    for (namespace, name), (pods, rules) in sorted(ends.items(), key=lambda item: item[0]):
        spec = {"endpointSelector": {"matchLabels": pods.labels} if pods.labels else {}, **rules}
        yield manifest("cilium.io/v2", "CiliumNetworkPolicy", f"{name}-api-server", namespace, spec=spec)


def _cilium(link: Link) -> Manifest:
    """Return the ports of a link as Cilium writes them: as texts."""
    return {"ports": [{"port": str(port), "protocol": "TCP"} for port in link.ports]}


def _rule(link: Link, direction: str, namespace: str, inside: Inside) -> Manifest:
    other, key = (link.target, "to") if direction == "egress" else (link.source, "from")
    rule: Manifest = {"ports": _ports(link.ports)}
    peers = _addresses(other, inside) if isinstance(other, Outside) else _pods(other, namespace)
    return {key: peers, **rule} if peers else rule


def _addresses(other: Outside, inside: Inside) -> list[Manifest]:
    """Return the ranges that are meant, of IPv4: clusters of DigitalOcean have no other; none is everybody."""
    if other != INTERNET:
        return [{"ipBlock": {"cidr": cidr}} for cidr in other.ranges]
    world = {"cidr": "0.0.0.0/0", "except": [*inside.ranges, LINK_LOCAL]}
    return [{"ipBlock": world}, *({"ipBlock": {"cidr": cidr}} for cidr in inside.neighbours)]


@cache
def _pods(other: Pods, namespace: str) -> list[Manifest]:
    peer: Manifest = {"podSelector": {"matchLabels": other.labels} if other.labels else {}}
    if other.namespace != namespace:
        peer["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": other.namespace}}
    return [peer]


@cache
def _ports(ports: tuple[Port, ...]) -> list[Manifest]:
    return [_port(port) for port in ports]


def _port(port: Port) -> Manifest:
    if isinstance(port, Udp):
        return {"port": port.number, "protocol": "UDP"}
    first, last = port if isinstance(port, tuple) else (port, None)
    return {"port": first, "protocol": "TCP"} | ({} if last is None else {"endPort": last})


def _policy(namespace: str, name: str, labels: dict[str, str], body: Manifest) -> Manifest:
    selector: dict[Literal["matchLabels"], dict[str, str]] = {"matchLabels": labels} if labels else {}
    spec = {"podSelector": selector, **body}
    return manifest("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)

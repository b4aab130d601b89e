"""Addresses and wires: a switch in the middle, to which the control plane and each machine are connected.

The ranges of pods and Services are those of DigitalOcean's clusters; the machines' own are RFC 5737's.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager

from tests.e2e.node.namespaces import Namespaces

MACHINES = "192.0.2.0/24"
CONTROL_PLANE = "192.0.2.1"
METADATA = "169.254.169.254"
"""Where clouds keep what a machine may know, its credentials among it."""

INTERNET = "198.51.100.10"
"""Where the rest of the world answers."""

VAULT = "198.51.100.20"
SPACES = "198.51.100.30"
BALANCER = "198.51.100.40"
"""Where the balancer of the ingress takes connections."""

PODS = "10.244.0.0/16"
SERVICES = "10.245.0.0/16"
FIRST_SERVICE = "10.245.0.1"
DNS = "10.245.0.10"
PLUGINS = "/usr/lib/cni"
"""Where Debian and Ubuntu keep the plugins of containernetworking-plugins."""


def address(number: int) -> str:
    """Return the address of a machine."""
    return f"192.0.2.{10 + number}"


def pods(number: int) -> str:
    """Return the range of a machine's pods."""
    return f"10.244.{number}.0/24"


def switch(middle: Namespaces) -> None:
    """Make the switch, with the addresses of the control plane, the metadata service and the world."""
    middle.ip("link add lan0 type bridge")
    for own in (f"{CONTROL_PLANE}/24", *(f"{other}/32" for other in (METADATA, INTERNET, VAULT, SPACES, BALANCER))):
        middle.ip(f"address add {own} dev lan0")
    middle.ip("link set lan0 up")


def connect(middle: Namespaces, machine: Namespaces, number: int, count: int) -> None:
    """Connect a machine to the switch, with ways to the pods of the others, of which there are `count`."""
    middle.ip(f"link add port{number} type veth peer name eth0 netns {machine.process}")
    middle.ip(f"link set port{number} master lan0 up")
    middle.ip(f"route add {pods(number)} via {address(number)}")
    machine.ip(f"address add {address(number)}/24 dev eth0")
    machine.ip("link set eth0 up")
    machine.ip(f"route add default via {CONTROL_PLANE}")
    for other in range(1, count + 1):
        if other != number:
            machine.ip(f"route add {pods(other)} via {address(other)}")
    # Beyond the pods, the world sees the machine's address.
    masquerade = f"iptables -w -t nat -A POSTROUTING -s {pods(number)} ! -d {PODS} -j MASQUERADE"
    machine.run(*masquerade.split())


@contextmanager
def away(middle: Namespaces, address: str) -> Generator[None]:
    """Let no machine reach an address of the world; the control plane, where tests are, still does."""
    rule = ("INPUT", "-i", "lan0", "-p", "tcp", "-d", address, "-j", "REJECT", "--reject-with", "tcp-reset")
    with _rule(middle, *rule):
        yield


@contextmanager
def apart(machine: Namespaces, source: str, target: str, port: int) -> Generator[None]:
    """Let a pod of a machine not reach a port of another pod, whatever policies say."""
    with _rule(
        machine, "PREROUTING", "-t", "raw", "-p", "tcp", "-s", source, "-d", target, "--dport", f"{port}", "-j", "DROP"
    ):
        yield


@contextmanager
def _rule(place: Namespaces, *rule: str) -> Generator[None]:
    place.run("iptables", "-w", "-I", *rule)
    try:
        yield
    finally:
        place.run("iptables", "-w", "-D", *rule)


def plugins(number: int) -> str:
    """Return the configuration by which containerd connects pods (CNI 1.0)."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "subnet": pods(number), "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, ports]})

"""The cluster is one: machines, pods, names, walls, volumes, and what happens when a machine is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.kit import (
    INTERNET,
    ON_SYSTEM_POOL,
    POOL_LABEL,
    SYSTEM_ROLE,
    SYSTEM_TOLERATIONS,
    WORKLOAD_ROLE,
    Inside,
    Link,
    Pods,
    default_policies,
    link_policies,
    manifest,
    spread,
)
from tests.e2e.node import images, network, pods
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.groups import Group, end_left, hierarchies
from tests.e2e.node.images import Image
from tests.support import ROOT

Rooms = Callable[[str], str]


def test_every_machine_is_ready_and_placed_as_its_pool_says(node: NodeCluster) -> None:
    for name, machine in node.machines.items():
        found = node.get("node", name)
        assert found is not None
        assert found["metadata"]["labels"].items() >= machine.pool.all_labels.items()
        node.eventually(partial(node.is_ready, name), f"{name} is Ready")
        node.eventually(partial(_returns, partial(_taints, node, name), list(machine.pool.taints)), f"taints of {name}")


def test_a_pod_runs_and_its_log_is_read(node: NodeCluster, rooms: Rooms) -> None:
    room = rooms("log")
    node.apply(pods.pod(room, "server", "serve", "tcp:8080"))
    node.await_pods(room)
    node.eventually(lambda: node.said(room, "server") == ["serving tcp:8080"], "the log is read")


def test_an_image_that_upstream_has_is_taken_instead_of_the_built_one(
    node: NodeCluster, rooms: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, name = rooms("upstream"), "upstream.test/tool:1"
    images.write(tmp_path / "upstream.test_tool_1.tar", [Image(name, "probe", ("serve", "tcp:8080"))], b"")
    monkeypatch.setenv("IMAGES", str(tmp_path))
    node.add_images(Image(name, "etcd"))
    assert node.upstream == {name}
    made = pods.pod(room, "server")
    made["spec"]["containers"][0] |= {"image": name}
    node.apply(made)
    node.await_pods(room)
    node.eventually(lambda: node.said(room, "server") == ["serving tcp:8080"], "it is upstream's that runs")


def test_names_lead_to_services_and_to_the_pods_of_headless_ones(node: NodeCluster, rooms: Rooms) -> None:
    room = rooms("names")
    servers = [pods.pod(room, f"server-{n}", "serve", "tcp:8080", labels={"app": "server"}) for n in (1, 2)]
    headless = pods.service(room, "server", [8080], headless=True)
    headless["metadata"]["name"] = "each"
    node.apply(*servers, pods.pod(room, "client", "pause"), pods.service(room, "server", [8080]), headless)
    node.await_pods(room)

    service = node.get("service", "server", room)
    assert service is not None
    addresses = sorted(_status(node, room, f"server-{n}")["podIP"] for n in (1, 2))
    for name, found in (("server", [service["spec"]["clusterIP"]]), ("each", addresses)):
        asked = partial(_names, node, room, f"{name}.{room}.svc.cluster.local")
        node.eventually(partial(_returns, asked, found), f"{name} leads to {found}")
    served = {"tcp:server:8080": True, "tcp:server:8081": False}
    node.eventually(lambda: node.reaches(room, "client", *served) == served, "the Service leads to its port")


def test_what_a_link_allows_gets_through_and_nothing_else(node: NodeCluster, rooms: Rooms) -> None:
    here, there = rooms("client"), rooms("server")
    ports = ("tcp:8080", "tcp:8081", "tls:8443", "udp:8080")
    node.apply(
        *(pods.pod(here, name, "pause") for name in ("client", "other")),
        pods.pod(there, "server", "serve", *ports),
        pods.service(there, "server", [8080]),
    )
    for room in (here, there):
        node.await_pods(room)
    server = _status(node, there, "server")["podIP"]
    by_name = f"tcp:server.{there}:8080"
    targets = [f"{kind}:{server}:{port}" for kind, port in (item.split(":") for item in ports)]
    world = f"tcp:{network.INTERNET}:80"
    outside = [f"tcp:{network.METADATA}:80", f"tcp:{network.CONTROL_PLANE}:6443"]
    everything = [by_name, *targets, world, *outside]
    opened, closed = dict.fromkeys(everything, True), dict.fromkeys(everything, False)
    node.eventually(lambda: node.reaches(here, "client", *everything) == opened, "all is open without policies")

    client = Pods(here, "client", {"app": "client"})
    links = [Link(client, Pods(there, "server", {"app": "server"}), (8080, 8443)), Link(client, INTERNET, (80, 6443))]
    inside = Inside((network.PODS, network.SERVICES, network.MACHINES))
    node.apply(*default_policies(here), *default_policies(there), *link_policies(links, [here, there], inside))

    allowed = {by_name, f"tcp:{server}:8080", f"tls:{server}:8443", world}
    expected = {target: target in allowed for target in everything}
    node.eventually(lambda: node.reaches(here, "client", *everything) == expected, f"only {allowed} is open")
    node.eventually(lambda: node.reaches(here, "other", *everything) == closed, "nothing is open to others")


def test_a_claim_is_bound_and_its_data_outlives_the_pod(node: NodeCluster, rooms: Rooms) -> None:
    room = rooms("volume")
    claim = manifest(
        "v1",
        "PersistentVolumeClaim",
        "data",
        room,
        spec={
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "do-block-storage-retain",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    )
    node.apply(claim)
    # The second pod runs on the other pool: DigitalOcean's volumes follow their pods.
    written: list[str] = []
    for name, pool in (("first", {}), ("second", ON_SYSTEM_POOL)):
        node.apply(pods.pod(room, name, "append", "/data/lines", name, claims={"/data": "data"}, **pool))
        node.await_pods(room)
        written.append(name)
        said = partial(node.said, room, name)
        node.eventually(partial(_returns, said, written), f"{name} finds what was written before")
        node.kubectl("delete", "pod", name, "--namespace", room)

    bound = node.get("pvc", "data", room)
    assert bound is not None
    node.kubectl("delete", "pvc", "data", "--namespace", room)
    volume = bound["spec"]["volumeName"]
    node.eventually(lambda: _phase(node, volume) == "Released", "the volume is kept without its claim")


def test_a_balancer_gets_an_address(node: NodeCluster, rooms: Rooms) -> None:
    room = rooms("balancer")
    service = pods.service(room, "server", [443])
    service["spec"]["type"] = "LoadBalancer"
    node.apply(service)

    def given() -> bool:
        found = node.get("service", "server", room) or {}
        return "ip" in found["status"].get("loadBalancer", {}).get("ingress", [{}])[0]

    node.eventually(given, "the balancer has an address")


def test_pods_run_on_their_pool_and_replicas_apart(node: NodeCluster, rooms: Rooms) -> None:
    room = rooms("places")
    node.apply(
        pods.pod(room, "workload", "pause"),
        pods.pod(room, "system", "pause", **ON_SYSTEM_POOL),
        _apart(room, replicas=2),
    )
    node.kubectl("rollout", "status", "deployment/apart", "--namespace", room)
    node.await_pods(room)
    found = json.loads(node.kubectl("get", "pods", "--namespace", room, "--output=json"))["items"]
    places = [(item["metadata"]["labels"]["app"], _pool(node, item)) for item in found]
    assert sorted(places) == [
        ("apart", SYSTEM_ROLE),
        ("apart", WORKLOAD_ROLE),
        ("system", SYSTEM_ROLE),
        ("workload", WORKLOAD_ROLE),
    ]


def test_a_machine_without_its_kubelet_is_lost_until_it_is_back(node: NodeCluster) -> None:
    name, machine = next((name, item) for name, item in node.machines.items() if item.pool.name == WORKLOAD_ROLE)
    machine.daemons["kubelet"].kill()
    try:
        node.eventually(lambda: not node.is_ready(name), "the machine is not Ready")
    finally:
        machine.daemons["kubelet"].start()
    node.eventually(lambda: node.is_ready(name), "the machine is Ready again")


def test_what_a_killed_run_left_is_ended_by_the_next(node: NodeCluster, tmp_path: Path) -> None:
    start = (
        "import pathlib, sys; from tests.e2e.node.groups import *; from tests.e2e.node.namespaces import Namespaces;"
        "group = Group(own_name()); group.create(); group.child('daemons');"
        "place = Namespaces(pathlib.Path(sys.argv[1]), group); place.hold(filtered=False);"
        "print(group.name, place.process, flush=True); sys.stdin.read()"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", start, str(tmp_path)]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        name, held = run.stdout.readline().split()
        own = name.rpartition("/")[2]
        assert own not in end_left()  # its run goes on
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert Group(own).processes() == {int(held)}

    assert own in end_left()
    assert Group(own).processes() == set()
    assert [path for root in hierarchies() for path in root.glob(f"**/{own}")] == []
    assert all(node.is_ready(machine) for machine in node.machines)


def _returns(function: Callable[[], Any], expected: object) -> bool:
    return function() == expected


def _taints(node: NodeCluster, name: str) -> list[dict[str, str]]:
    return (node.get("node", name) or {})["spec"].get("taints", [])


def _names(node: NodeCluster, room: str, name: str) -> list[str]:
    return node.probe(room, "client", "lookup", name, code=None).split()


def _status(node: NodeCluster, room: str, name: str) -> dict[str, Any]:
    found = node.get("pod", name, room)
    assert found is not None
    return found["status"]


def _phase(node: NodeCluster, volume: str) -> str:
    return (node.get("pv", volume) or {}).get("status", {}).get("phase", "")


def _pool(node: NodeCluster, pod: dict[str, Any]) -> str:
    machine = node.get("node", pod["spec"]["nodeName"])
    assert machine is not None
    return machine["metadata"]["labels"][POOL_LABEL]


def _apart(room: str, replicas: int) -> dict[str, Any]:
    """Return replicas that would all rather be on the workload pool, and that nothing but their constraint parts."""
    labels = {"app": "apart"}
    workload = {"matchExpressions": [{"key": POOL_LABEL, "operator": "In", "values": [WORKLOAD_ROLE]}]}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": workload}]}
    pod = pods.spec(
        "pause",
        affinity={"nodeAffinity": preferred},
        tolerations=SYSTEM_TOLERATIONS,
        topologySpreadConstraints=[{**item, "whenUnsatisfiable": "DoNotSchedule"} for item in spread(**labels)],
    )
    template = {"metadata": {"labels": labels}, "spec": pod}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return manifest("apps/v1", "Deployment", "apart", room, spec=body)

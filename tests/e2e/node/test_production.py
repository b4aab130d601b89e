"""Production on real machines, scaled down: three instances each, of which one may be lost and two are never taken."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from constructs_lib.platform.cloudnative_pg.cluster import NAMESPACE as DATABASES
from constructs_lib.platform.rabbitmq_operator.settings import NAMESPACE as MESSAGING
from tests.e2e.cluster import CRDS
from tests.e2e.node import sandbox, test_rabbitmq
from tests.e2e.node.application import CLUSTER, Application
from tests.e2e.node.conftest import REPORT, require_node
from tests.e2e.node.machine import SYSTEM, WORKLOAD
from tests.e2e.node.sandbox import Sandbox

BROKERS = [f"{CLUSTER}-server-{number}" for number in range(3)]
SETS = (
    (DATABASES, f"cnpg.io/cluster={CLUSTER},cnpg.io/podRole=instance"),
    (MESSAGING, f"app.kubernetes.io/name={CLUSTER}"),
)
"""What has a quorum: the namespace and the labels of its pods."""
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget"
"""What the API server says (kubernetes v1.37 `pkg/registry/core/pod/storage/eviction.go`)."""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster that follows production, with all layers Ready, on three machines for the platform."""
    require_node(*sandbox.TOOLS)
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}; set CRDS")
    folder = tmp_path_factory.mktemp("production")
    with sandbox.sandbox(sandbox.production(), folder, (SYSTEM, SYSTEM, SYSTEM, WORKLOAD)) as made:
        REPORT.append(f"production: every layer Ready after {sandbox.await_layers(made, folder):.0f} s")
        REPORT.append(
            "production, scaled down: 512 MiB and a tenth of a CPU for each instance of Postgres and RabbitMQ, "
            "folders for volumes; without Valkey and observability"
        )
        # Postgres is Ready once its primary serves.
        took = made.cluster.eventually(lambda: is_whole(made), "three of each are Ready")
        REPORT.append(f"production: three of each are Ready {took:.0f} s later")
        yield made


@pytest.fixture(scope="module")
def application(production: Sandbox) -> Application:
    """The application's pod; network policies know a new pod a moment after it is Ready."""
    made = Application(production)
    made.start()
    production.cluster.eventually(lambda: made.psql("select 1", code=None) == "1", "the application reaches Postgres")
    return made


def counts(sandbox: Sandbox) -> list[int]:
    """Return how many pods of each of `SETS` are Ready."""

    def ready(namespace: str, labels: str) -> int:
        printed = sandbox.cluster.kubectl("get", "pods", "-n", namespace, "-l", labels, "--output=json")
        return sum(_is_ready(item) for item in json.loads(printed)["items"])

    return [ready(*each) for each in SETS]


def evict(sandbox: Sandbox, namespace: str, pod: str, *, really: bool = False) -> str:
    """Ask the API server to evict a pod, as the drain of a node does, and return what it said."""
    options = {} if really else {"deleteOptions": {"dryRun": ["All"]}}
    named = {"metadata": {"name": pod, "namespace": namespace}}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", **named, **options}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    return sandbox.cluster.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(body), code=None)


def instances(sandbox: Sandbox) -> tuple[str, list[str]]:
    """Return the primary, and the replicas that are Ready."""
    found = sandbox.cluster.get("cluster.postgresql.cnpg.io", CLUSTER, DATABASES) or {}
    status = found["status"]
    healthy = status.get("instancesStatus", {}).get("healthy", [])
    return status["currentPrimary"], sorted(set(healthy) - {status["currentPrimary"]})


def is_whole(sandbox: Sandbox) -> bool:
    """Return whether three of each are Ready, and the operator says so of Postgres."""
    return counts(sandbox) == [3, 3] and len(instances(sandbox)[1]) == 2


def machines(sandbox: Sandbox, namespace: str, pods: list[str]) -> set[str]:
    """Return the machines of pods."""
    found = [sandbox.cluster.get("pod", pod, namespace) or {} for pod in pods]
    return {item["spec"]["nodeName"] for item in found}


def test_instances_are_on_machines_of_their_own(production: Sandbox) -> None:
    primary, replicas = instances(production)
    assert len(replicas) == 2
    assert len(machines(production, DATABASES, [primary, *replicas])) == 3
    assert len(machines(production, MESSAGING, BROKERS)) == 3


def test_no_eviction_takes_a_quorum(production: Sandbox) -> None:
    primary, replicas = instances(production)
    first, second, third = BROKERS
    assert VIOLATES in evict(production, DATABASES, primary)
    assert all(VIOLATES not in evict(production, DATABASES, replica) for replica in replicas)
    assert VIOLATES not in evict(production, MESSAGING, second)

    gone = {(DATABASES, replicas[0]), (MESSAGING, first)}
    before = {pod: production.cluster.get("pod", pod[1], pod[0]) or {} for pod in gone}
    assert all(VIOLATES not in evict(production, *pod, really=True) for pod in gone)
    held = ((DATABASES, primary), (DATABASES, replicas[1]), (MESSAGING, second), (MESSAGING, third))
    for pod in held:
        assert VIOLATES in evict(production, *pod), pod

    def are_back() -> bool:
        found = {pod: production.cluster.get("pod", pod[1], pod[0]) or {} for pod in gone}
        return all(_is_another(before[pod], found[pod]) for pod in gone)

    took = production.cluster.eventually(are_back, "what was evicted is back")
    REPORT.append(f"production: a replica of Postgres and a node of RabbitMQ are back {took:.0f} s after an eviction")
    production.cluster.eventually(lambda: VIOLATES not in evict(production, MESSAGING, second), "another may go")


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _is_another(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return _is_ready(after) and before["metadata"]["uid"] != after["metadata"]["uid"]


def test_nothing_that_was_written_is_lost_with_the_primary(production: Sandbox, application: Application) -> None:
    cluster = production.cluster
    application.psql("create table notes (number int primary key)")
    primary, _ = instances(production)
    written: list[int] = []
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            insert = f"insert into notes select {number} returning number"
            if application.psql(insert, code=None) == str(number):
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        cluster.eventually(lambda: len(written) >= 3, "something is written")
        cluster.kubectl("delete", "pod", primary, "-n", DATABASES, "--grace-period=0", "--force")
        lost = len(written)
        took = cluster.eventually(
            lambda: instances(production)[0] != primary and len(written) > lost + 3, "another primary takes writes"
        )
    finally:
        over.set()
        writer.join()
    REPORT.append(f"production: another instance takes writes {took:.0f} s after the primary was killed")
    found = {int(line) for line in application.psql("select number from notes").splitlines()}
    assert set(written) <= found
    cluster.eventually(lambda: is_whole(production), "three instances are there again")


def test_a_message_outlives_the_loss_of_a_node(production: Sandbox, application: Application) -> None:
    publish = test_rabbitmq.PUBLISH.format(note="kept")
    cluster = production.cluster
    cluster.eventually(lambda: test_rabbitmq.ask(application, publish) == "", "it is published")
    cluster.kubectl("delete", "pod", BROKERS[0], "-n", MESSAGING, "--grace-period=0", "--force")
    took = cluster.eventually(lambda: test_rabbitmq.ask(application, test_rabbitmq.CONSUME) == "kept", "it is there")
    REPORT.append(f"production: a message is there {took:.0f} s after a node of RabbitMQ was killed")


def test_a_machine_is_drained_and_no_quorum_is_lost(production: Sandbox, application: Application) -> None:
    """It is what DigitalOcean does to each machine of a pool that is replaced."""
    cluster = production.cluster
    application.psql("create table if not exists drained (number int)")
    primary, _ = instances(production)
    (machine,) = machines(production, DATABASES, [primary])
    cluster.eventually(lambda: is_whole(production), "three of each are Ready")
    drain = ("drain", machine, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=600s")
    with ThreadPoolExecutor(1) as threads:
        drained = threads.submit(cluster.kubectl, *drain)
        seen = [counts(production)]
        while not drained.done():
            seen.append(counts(production))
        assert "drained" in drained.result()
    assert min(min(found) for found in seen) >= 2, seen
    cluster.eventually(lambda: instances(production)[0] != primary, "another instance is the primary")
    cluster.eventually(lambda: application.psql("insert into drained values (1)", code=None) == "", "it takes writes")
    cluster.kubectl("uncordon", machine)
    took = cluster.eventually(lambda: is_whole(production), "three of each are Ready again")
    REPORT.append(f"production: three of each are Ready {took:.0f} s after a drained machine is back")

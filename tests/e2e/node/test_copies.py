"""What RabbitMQ and Valkey hold is copied, rehearsed and brought back by the jobs of the cluster.

They are begun as the runbooks say. A copy that is damaged, or that no server takes, fails its drill.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import NamedTuple

import pytest

from constructs_lib.environment import Environment
from constructs_lib.platform import rabbitmq_operator, recovery, valkey_operator
from constructs_lib.platform.recovery import Origin
from gitops_render.tree import render
from gitops_render.write import write
from tests.e2e.node import sandbox, test_rabbitmq, test_valkey
from tests.e2e.node.application import CLUSTER, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.pages import begun, last_good
from tests.e2e.node.sandbox import Sandbox

ARCHIVE = f"{CLUSTER}-1"
JOB = recovery.recovery_name(CLUSTER, Origin(archive=ARCHIVE))


class Service(NamedTuple):
    """A service whose data is copied: how an application fills it, empties it, and looks whether all is there."""

    name: str
    component: str
    namespace: str
    fill: Callable[[Application], object]
    empty: Callable[[Application], object]
    look: tuple[Callable[[Application], str], str]
    spoil: Callable[[bytes], bytes]

    def is_whole(self, application: Application) -> bool:
        """Return whether an application finds all of it."""
        ask, answer = self.look
        return ask(application) == answer

    @property
    def runbook(self) -> str:
        """The page that says how its jobs are begun."""
        return f"runbooks/{self.name}-drill"

    @property
    def key(self) -> str:
        """The object with its copies."""
        return f"{self.name}/{ARCHIVE}.tar.gz"


DECLARE = """
channel.exchange_declare("events", "topic", durable=True)
channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 5})
channel.queue_bind("orders", "events", "order.#")
"""
DELETE = 'channel.queue_delete("orders"); channel.exchange_delete("events")'
# What is routed to the queue shows that it is bound.
ROUTED = """
channel.basic_publish("events", "order.new", b"1", pika.BasicProperties(delivery_mode=2), mandatory=True)
print(channel.basic_get("orders", auto_ack=True)[2].decode())
"""


def broker(body: str) -> Callable[[Application], str]:
    return lambda application: test_rabbitmq.ask(application, body)


def cache(call: str) -> Callable[[Application], str]:
    return lambda application: test_valkey.ask(application, test_valkey.PLAIN, call)


def packed_again(copy: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Return an archive whose files were changed, but which is whole."""
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(copy)) as old, tarfile.open(fileobj=made, mode="w:gz") as new:
        for item in old:
            file = old.extractfile(item)
            assert file is not None
            data = change(file.read())
            item.size = len(data)
            new.addfile(item, io.BytesIO(data))
    return made.getvalue()


def of_no_plugin(definitions: bytes) -> bytes:
    """Let an exchange be of a kind that no broker has here."""
    return definitions.replace(b'"topic"', b'"x-of-no-plugin"')


def half(snapshot: bytes) -> bytes:
    """Return one that ends too early."""
    return snapshot[: len(snapshot) // 2]


SERVICES = [
    Service(
        "rabbitmq",
        "rabbitmq_operator",
        rabbitmq_operator.NAMESPACE,
        broker(DECLARE),
        broker(DELETE),
        (broker(ROUTED), "1"),
        of_no_plugin,
    ),
    Service(
        "valkey",
        "valkey_operator",
        valkey_operator.NAMESPACE,
        cache("all(client.set(f'kept-{number}', number) for number in range(300))"),
        cache("client.flushall()"),
        (cache("len(client.keys('kept-*')), client.get('kept-299')"), "300 b'299'"),
        half,
    ),
]


def recovering(name: str, origin: dict[str, str] | None) -> Environment:
    """Return the sandbox in which a service gets what was copied."""
    data = sandbox.data()
    (cluster,) = data["platform"][name]["clusters"]
    cluster |= {"recover_from": origin} if origin else {}
    return sandbox.made(data)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_copy_is_made_rehearsed_and_brought_back(
    platform: Sandbox, application: Application, service: Service
) -> None:
    cluster, spaces, drills = platform.cluster, platform.spaces, recovery.drills(service.namespace)
    service.fill(application)
    assert service.is_whole(application)
    copy = begun(cluster, service.runbook, "copy-again")
    assert copy.is_good, copy.said
    drill = begun(cluster, service.runbook, "drill-again")
    assert drill.is_good, drill.said
    assert "the drill is good" in drill.said
    for namespace in (service.namespace, drills):
        cluster.eventually(lambda at=namespace: last_good(cluster, service.runbook, at) != "", "it is known as good")
    REPORT.append(f"recovery: {service.name}: a copy took {copy.took:.0f} s, a drill {drill.took:.0f} s")

    before, whole = last_good(cluster, service.runbook, drills), spaces.read(service.key)
    for damaged, sentence in (
        (whole[: len(whole) // 2], "is damaged"),
        (packed_again(whole, service.spoil), "failed:|was copied and is not there"),
        (packed_again(whole, lambda _: b""), "failed:|holds no definitions"),
    ):
        spaces.write(service.key, damaged)
        failed = begun(cluster, service.runbook, "drill-again")
        assert not failed.is_good, failed.said
        assert any(words in failed.said for words in sentence.split("|")), failed.said
    assert last_good(cluster, service.runbook, drills) == before, "they count as none"
    spaces.write(service.key, whole)

    service.empty(application)
    assert not service.is_whole(application)
    repository = platform.follower.repository
    write(repository.folder, platform.env.name, render(recovering(service.component, {"archive": ARCHIVE})))
    repository.commit(f"Bring {service.name} back")
    took = cluster.eventually(
        lambda: (cluster.get("job", JOB, service.namespace) or {}).get("status", {}).get("succeeded") == 1, "it is back"
    )
    assert service.is_whole(application)
    REPORT.append(f"recovery: {service.name}: brought back {took:.0f} s after the merge")
    write(repository.folder, platform.env.name, render(platform.env))
    repository.commit(f"{service.name} is recovered")
    cluster.eventually(lambda: cluster.get("job", JOB, service.namespace) is None, "its job is gone")
    assert service.is_whole(application)

"""Copies of real servers: they are made, a drill of them is good or says what is wrong, and they are brought back.

Valkey and RabbitMQ run from the archives of tools/bin, by the scripts of the jobs as they stand; what reaches the
bucket and the broker's API is the jobs' Python, against moto.
"""

from __future__ import annotations

import os
import shlex
import ssl
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from constructs_lib.platform.rabbitmq_operator import copies as rabbitmq
from constructs_lib.platform.rabbitmq_operator.copies import definitions
from constructs_lib.platform.recovery import bucket
from constructs_lib.platform.valkey_operator import copies as valkey
from tests.e2e.certificate import make_certificate
from tests.e2e.cluster import BIN
from tests.e2e.node.rabbitmq import RABBITMQ, RABBITMQ_FILES
from tests.e2e.node.valkey import VALKEY_FILES
from tests.e2e.servers import Root, eventually
from tests.fakes.spaces import FakeSpaces

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="a root folder of one's own needs root on Linux"),
    pytest.mark.skipif(
        not all((BIN / files).exists() for files in (RABBITMQ_FILES, VALKEY_FILES)),
        reason="the servers' archives are not built (make -C tools node)",
    ),
]
PASSWORD = "of-the-tests"
SLOTS = 16384
ALL_SLOTS = ("cluster", "addslotsrange", "0", str(SLOTS - 1))


@pytest.fixture(scope="module")
def spaces() -> Iterator[FakeSpaces]:
    with FakeSpaces() as server:
        yield server


@pytest.fixture(autouse=True)
def told(spaces: FakeSpaces, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a job's containers find in their environment."""
    name = f"copies-{abs(hash(request.node.name))}"
    said = {"ENDPOINT": spaces.url, "BUCKET": name, "KEY": "main-1.tar.gz", "AWS_DEFAULT_REGION": "us-east-1"}
    for key, value in (said | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}).items():
        monkeypatch.setenv(key, value)
    storage: Any = boto3.resource("s3", endpoint_url=spaces.url)
    storage.create_bucket(Bucket=name)
    storage.BucketVersioning(name).enable()


def stored(root: Root, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the room into the bucket and empty it, or bring it back."""
    monkeypatch.setattr(bucket, "ROOM", root.room)
    {"put": bucket.put, "get": bucket.get}[does]()
    if does == "put":
        for path in root.room.iterdir():
            path.unlink()


def copied_otherwise(root: Root, monkeypatch: pytest.MonkeyPatch, **files: bytes) -> None:
    """Bring a copy back, and change files in it."""
    stored(root, "get", monkeypatch)
    for name, data in files.items():
        (root.room / name.replace("_", ".")).write_bytes(data)


class Valkey:
    """Clusters of one node each, with TLS and a password."""

    def __init__(self, root: Root, logs: Path) -> None:
        self.root, self._logs = root, logs
        self.renew()

    def renew(self) -> None:
        """Put another certificate in the place of the one that is there; clients trust both."""
        tls = self.root.folder / "tls"
        make_certificate(tls / "tls.crt", tls / "tls.key", "localhost")
        with (tls / "ca.crt").open("a") as trusted:
            trusted.write(self.certificate)

    @property
    def certificate(self) -> str:
        """The certificate that is there."""
        return (self.root.folder / "tls/tls.crt").read_text()

    @staticmethod
    def shown(port: int) -> str:
        """Return the certificate that a server shows."""
        return ssl.get_server_certificate(("localhost", port))

    @contextmanager
    def cluster(self, port: int) -> Generator[None]:
        with self._node(port, "localhost"):
            eventually(lambda: self.ask(port, *ALL_SLOTS) == "OK", "the cluster has its slots")
            eventually(lambda: "cluster_state:ok" in self.ask(port, "cluster", "info"), "it serves them")
            yield

    @contextmanager
    def shards(self, *hosts: str) -> Generator[None]:
        """A cluster with a primary at each of these addresses, on the port that all have in a cluster."""
        with ExitStack() as stack:
            bounds = [SLOTS * number // len(hosts) for number in range(len(hosts) + 1)]
            for host, first, end in zip(hosts, bounds, bounds[1:], strict=False):
                stack.enter_context(self._node(6379, host))
                slots = ("cluster", "addslotsrange", str(first), str(end - 1))
                eventually(lambda at=host, slots=slots: self.ask(6379, *slots, host=at) == "OK", "it has its slots")
                self.ask(6379, "cluster", "meet", hosts[0], "6379", host=host)

            def serve() -> bool:
                said = [self.ask(6379, "cluster", "info", host=host) for host in hosts]
                return all("cluster_state:ok" in one and f"cluster_known_nodes:{len(hosts)}" in one for one in said)

            eventually(serve, "all shards serve")
            yield

    @contextmanager
    def _node(self, port: int, host: str) -> Generator[None]:
        at = f"/tmp/{host}-{port}"  # noqa: S108 - in the root folder
        (self.root.folder / at[1:]).mkdir()
        files = ("cert-file /tls/tls.crt", "key-file /tls/tls.key", "ca-cert-file /tls/ca.crt", "auth-clients no")
        settings = " ".join(f"--tls-{item}" for item in (*files, "cluster yes", "replication yes", f"port {port}"))
        settings += f" --port 0 --dir {at} --cluster-enabled yes --cluster-announce-hostname {host} --save ''"
        # Nodes on one machine would find 127.0.0.1 of each other.
        settings += f" --bind {host} {'' if host == 'localhost' else f'--cluster-announce-ip {host}'}"
        settings += f" --requirepass {PASSWORD} --primaryauth {PASSWORD}"
        with self.root.running("valkey-server", *shlex.split(settings), log=self._logs / f"{host}-{port}.log"):
            yield

    def ask(self, port: int, *words: str, host: str = "localhost") -> str:
        call = ("valkey-cli", "-h", host, "-p", str(port), "--tls", "--cacert", "/tls/ca.crt", *words)
        return self.root.run(*call, REDISCLI_AUTH=PASSWORD).stdout.strip()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Valkey:
    root = Root(tmp_path_factory.mktemp("valkey"), VALKEY_FILES, "/usr/bin", valkey.PROGRAMS)
    return Valkey(root, tmp_path_factory.mktemp("logs"))


def test_a_valkey_comes_back_with_all_keys_and_their_ends(cache: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    root, script = cache.root, "/scripts/{}.sh".format
    with cache.cluster(6379):
        for words in (("set", "a", "1"), ("set", "b", "2", "ex", "9999"), ("rpush", "list", *map(str, range(500)))):
            cache.ask(6379, *words)
        cache.renew()
        assert cache.shown(6379) != cache.certificate, "nobody has told it"
        made = root.run("sh", script("snapshot"), "absent.test", "localhost", REDISCLI_AUTH=PASSWORD)
        assert made.returncode == 0, made.stdout + made.stderr
        assert "absent.test did not read its certificate again" in made.stdout
        assert cache.shown(6379) == cache.certificate
        assert made.stdout.splitlines()[-1] == "snapshots of 1 primaries"
        assert [path.name for path in root.room.iterdir()] == ["1.rdb"]
        stored(root, "put", monkeypatch)
        cache.ask(6379, "cluster", "delslotsrange", "0", "100")
        eventually(lambda: "cluster_state:fail" in cache.ask(6379, "cluster", "info"), "slots are not served")
        refused = root.run("sh", script("snapshot"), "localhost", REDISCLI_AUTH=PASSWORD)
        assert refused.returncode == 1
        assert "not every slot is served" in refused.stderr

    stored(root, "get", monkeypatch)
    for check, code in (("PING", 0), ("EXISTS a", 0), ("EXISTS nothing", 1), ("LPUSH a 1", 1)):
        drill = root.run("sh", script("drill"), *check.split())
        assert drill.returncode == code, (check, drill.stdout, drill.stderr)
        assert ("the drill is good: 3 keys" in drill.stdout) is (code == 0)

    with cache.cluster(6389):
        cache.ask(6389, "set", "a", "newer")
        for _ in range(2):  # it can be done again
            back = root.run("sh", script("recover"), "localhost:6389", REDISCLI_AUTH=PASSWORD)
            assert back.returncode == 0, (back.stdout, back.stderr)
            assert back.stdout.splitlines()[-1] == "recovered: 3 keys"
        assert cache.ask(6389, "get", "a") == "1"
        assert cache.ask(6389, "llen", "list") == "500"
        assert 0 < int(cache.ask(6389, "ttl", "b")) <= 9999

    whole = (root.room / "1.rdb").read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:100] + b"?" + whole[101:], b""):
        (root.room / "1.rdb").write_bytes(broken)
        drill = root.run("sh", script("drill"), "PING")
        assert drill.returncode == 1, (len(broken), drill.stdout)
    (root.room / "1.rdb").unlink()
    assert "the copy holds no snapshot" in root.run("sh", script("drill"), "PING").stderr


def test_shards_are_copied_each_and_come_back_to_another_number_of_them(
    cache: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, hosts, others = cache.root, ("127.0.0.2", "127.0.0.3", "127.0.0.4"), ("127.0.0.5", "127.0.0.6")
    password = {"REDISCLI_AUTH": PASSWORD}
    for path in root.room.iterdir():
        path.unlink()
    with cache.shards(*hosts):
        for number in range(90):
            cache.ask(6379, "-c", "set", f"key-{number}", str(number), host=hosts[0])
        held = [int(cache.ask(6379, "dbsize", host=host)) for host in hosts]
        assert sum(held) == 90
        assert min(held) > 0
        made = root.run("sh", "/scripts/snapshot.sh", "absent.test", hosts[1], **password)
        assert made.stdout.splitlines()[-1:] == ["snapshots of 3 primaries"], made.stderr
    stored(root, "put", monkeypatch)
    stored(root, "get", monkeypatch)
    assert sorted(path.name for path in root.room.iterdir()) == ["1.rdb", "2.rdb", "3.rdb"]
    drill = root.run("sh", "/scripts/drill.sh", "EXISTS", "key-1")
    assert "the drill is good: 90 keys" in drill.stdout, drill.stderr
    with cache.shards(*others):
        back = root.run("sh", "/scripts/recover.sh", f"{others[0]}:6379", **password)
        assert back.stdout.splitlines()[-1:] == ["recovered: 90 keys"], back.stderr
        found = [cache.ask(6379, "-c", "get", f"key-{number}", host=others[1]) for number in range(90)]
        assert found == [str(number) for number in range(90)]
    (root.room / "2.rdb").write_bytes((root.room / "2.rdb").read_bytes()[:-20])
    assert root.run("sh", "/scripts/drill.sh", "PING").returncode == 1, "each shard has to be whole"
    gone = root.run("sh", "/scripts/snapshot.sh", "localhost", TRIES="2", **password)
    assert "no node answers" in gone.stderr


HOME = "/tmp"  # noqa: S108 - in the root folder
BROKER = {
    "HOME": HOME,
    "RABBITMQ_NODENAME": "live@localhost",
    "RABBITMQ_LOGS": "-",
    "RABBITMQ_DIST_PORT": "25679",
    "RABBITMQ_MNESIA_BASE": f"{HOME}/live",
    "RABBITMQ_ENABLED_PLUGINS_FILE": f"{HOME}/plugins",
    "RABBITMQ_CONFIG_FILE": f"{HOME}/rabbitmq.conf",
}
SETTINGS = """
listeners.tcp = none
load_definitions = /tmp/first.json
management.ssl.ip = 127.0.0.1
management.ssl.port = 15671
management.ssl.cacertfile = /ca/ca.crt
management.ssl.certfile = /ca/ca.crt
management.ssl.keyfile = /ca/ca.key
"""
FIRST = """{
  "users": [{"name": "backups", "password": "of-the-tests", "tags": ["management"]},
            {"name": "admin", "password": "of-the-tests", "tags": ["administrator"]}],
  "vhosts": [{"name": "shop", "metadata": {"default_queue_type": "quorum"}}],
  "permissions": [{"user": "backups", "vhost": "shop", "configure": "^$", "write": "^$", "read": "^$"},
                  {"user": "admin", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}],
  "queues": [{"name": "orders", "vhost": "shop", "durable": true, "auto_delete": false,
              "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 5}},
             {"name": "old", "vhost": "shop", "durable": true, "auto_delete": false,
              "arguments": {"x-queue-type": "classic"}}],
  "exchanges": [{"name": "events", "vhost": "shop", "type": "topic", "durable": true, "auto_delete": false,
                 "internal": false, "arguments": {}}],
  "bindings": [{"source": "events", "vhost": "shop", "destination": "orders", "destination_type": "queue",
                "routing_key": "order.#", "arguments": {"a": 1}}]
}"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A broker with what an application declared, whose API speaks TLS."""
    root = Root(tmp_path_factory.mktemp("rabbitmq"), RABBITMQ_FILES, RABBITMQ.path, rabbitmq.PROGRAMS)
    make_certificate(root.folder / "ca/ca.crt", root.folder / "ca/ca.key", "localhost")
    for name, text in (("rabbitmq.conf", SETTINGS), ("first.json", FIRST), ("plugins", "[rabbitmq_management].")):
        (root.folder / "tmp" / name).write_text(text)
    with root.running("rabbitmq-server", log=tmp_path_factory.mktemp("logs") / "live.log", **BROKER):
        yield root
    # It is started beside the broker, and stays.
    root.run("epmd", "-kill")


@pytest.fixture
def api(broker: Root, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The way to the broker's API, as one of its users."""
    monkeypatch.setattr(definitions, "CA", str(broker.folder / "ca/ca.crt"))
    monkeypatch.setattr(definitions, "ROOM", broker.room)
    monkeypatch.setenv("BROKER", "https://localhost:15671")
    monkeypatch.setenv("PASSWORD", PASSWORD)

    def as_user(name: str) -> Any:
        monkeypatch.setenv("NAME", name)
        return definitions.ask

    def answers() -> bool:
        try:
            return len(as_user("admin")("queues")) == 2
        except OSError:
            return False

    eventually(answers, "the broker has what it began with")
    return as_user


def test_a_broker_gets_back_what_was_declared(broker: Root, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = api("backups")
    for path in ("definitions", "users"):
        with pytest.raises(OSError, match=r"401|403"):
            ask(path)
    definitions.look()
    stored(broker, "put", monkeypatch)
    stored(broker, "get", monkeypatch)

    good = broker.run("sh", "/scripts/drill.sh", "list_queues", "-p", "shop", "name", PLUGINS="")
    assert good.returncode == 0, good.stdout + good.stderr
    definitions.compare()

    wanted = definitions.copied()
    empty = broker.run("sh", "/scripts/drill.sh", "list_queues", "-p", "shop", "--offline", "name", PLUGINS="")
    assert empty.returncode == 1
    assert "says nothing" in empty.stderr

    admin = api("admin")
    delete(admin, "queues/shop/orders")
    assert [item["name"] for item in admin("queues")] == ["old"]
    for _ in range(2):  # it can be done again
        definitions.declare()
    assert not [*definitions.lacking(wanted, {kind: admin(kind) for kind in definitions.KEPT})]

    text = (broker.room / "definitions.json").read_text().replace('"topic"', '"x-of-no-plugin"')
    (broker.room / "definitions.json").write_text(text)
    passed = broker.run("sh", "/scripts/drill.sh", "list_vhosts", PLUGINS="").returncode == 0
    assert passed, "RabbitMQ leaves out what it cannot declare, so that only comparing shows it"
    with pytest.raises(SystemExit, match="was copied and is not there"):
        definitions.compare()


def delete(ask: Any, path: str) -> None:
    """Delete something by the API, as no job does."""
    import urllib.request

    made = urllib.request.Request.get_method
    try:
        urllib.request.Request.get_method = lambda _self: "DELETE"  # type: ignore[method-assign]
        ask(path)
    finally:
        urllib.request.Request.get_method = made  # type: ignore[method-assign]

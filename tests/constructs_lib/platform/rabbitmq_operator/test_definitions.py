"""What is kept of a broker: all that applications declared to last, and nothing that the broker makes by itself."""

from __future__ import annotations

import io
import json
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from constructs_lib.platform.rabbitmq_operator.copies import definitions

ARGUMENTS = {"x-queue-type": "quorum"}


def queue(name: str, **more: Any) -> dict[str, Any]:
    said = {"name": name, "vhost": "shop", "durable": True, "auto_delete": False, "exclusive": False}
    return {**said, "arguments": ARGUMENTS, "state": "running", "messages": 3, **more}


def exchange(name: str, **more: Any) -> dict[str, Any]:
    said = {"name": name, "vhost": "shop", "type": "topic", "durable": True, "auto_delete": False, "internal": False}
    return {**said, "arguments": {}, "user_who_performed_action": "somebody", **more}


def binding(source: str, destination: str, kind: str = "queue") -> dict[str, Any]:
    said = {"source": source, "vhost": "shop", "destination": destination, "destination_type": kind}
    return {**said, "routing_key": "#", "arguments": {}, "properties_key": "%23"}


BROKER: dict[str, list[dict[str, Any]]] = {
    "vhosts": [{"name": "shop", "metadata": {"default_queue_type": "quorum"}, "cluster_state": {"a": "running"}}],
    "queues": [
        queue("orders"),
        queue("of-a-connection", exclusive=True),
        queue("unsaid", exclusive=None),
        queue("of-consumers", auto_delete=True),
        queue("of-this-start", durable=False),
    ],
    "exchanges": [exchange(""), exchange("amq.topic"), exchange("events"), exchange("passing", durable=False)],
    "bindings": [
        binding("", "orders"),
        binding("events", "orders"),
        binding("amq.topic", "orders"),
        binding("events", "of-a-connection"),
        binding("passing", "orders"),
        binding("amq.topic", "events", "exchange"),
        binding("events", "orders", "exchange"),
    ],
}


def test_what_lasts_is_kept_without_what_the_broker_says_beside() -> None:
    kept = definitions.lasting(BROKER)
    assert kept["vhosts"] == [{"name": "shop", "metadata": {"default_queue_type": "quorum"}}]
    plain = {"vhost": "shop", "name": "orders", "durable": True, "auto_delete": False, "arguments": ARGUMENTS}
    assert kept["queues"] == [plain, {**plain, "name": "unsaid"}]
    assert [item["name"] for item in kept["exchanges"]] == ["events"]
    ways = [(item["source"], item["destination"], item["destination_type"]) for item in kept["bindings"]]
    assert ways == [
        ("events", "orders", "queue"),
        ("amq.topic", "orders", "queue"),
        ("amq.topic", "events", "exchange"),
    ]


def test_what_an_export_leaves_out_is_what_it_means() -> None:
    wanted = definitions.lasting(BROKER)
    found = {kind: [dict(item) for item in wanted[kind]] for kind in ("queues", "exchanges", "bindings")}
    del found["exchanges"][0]["internal"]
    found["queues"][0]["type"] = "quorum"
    assert not [*definitions.lacking(wanted, found)]


@pytest.mark.parametrize(
    ("kind", "changed"),
    [("queues", {"arguments": {}}), ("exchanges", {"type": "fanout"}), ("bindings", {"routing_key": "other"})],
)
def test_what_came_back_otherwise_is_lacking(kind: str, changed: dict[str, Any]) -> None:
    wanted = definitions.lasting(BROKER)
    found = {**wanted, kind: [{**wanted[kind][0], **changed}, *wanted[kind][1:]]}
    (line,) = definitions.lacking(wanted, found)
    assert line == f"{kind}: {json.dumps(wanted[kind][0], sort_keys=True)}"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(definitions, "ROOM", tmp_path)
    return tmp_path


class Broker:
    """A broker that has `there`, and to which only what is posted is added that it `takes`."""

    def __init__(self, *takes: str) -> None:
        self.there: dict[str, list[dict[str, Any]]] = {kind: [] for kind in BROKER}
        self.takes, self.posted = takes, list[str]()

    def ask(self, path: str, body: dict[str, list[dict[str, Any]]] | None = None) -> Any:
        if body is None:
            return self.there[path]
        assert path == "definitions"
        self.posted += body
        for kind in self.takes:
            self.there[kind] = body[kind]
        return None


def test_what_was_copied_is_declared_but_for_vhosts(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker("queues", "exchanges", "bindings")
    monkeypatch.setattr(definitions, "ask", BROKER.__getitem__)
    definitions.look()
    monkeypatch.setattr(definitions, "ask", broker.ask)
    definitions.declare()
    assert broker.posted == ["queues", "exchanges", "bindings"], "those are the operator's"


def test_a_broker_that_does_not_take_all_is_told_of(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (room / "definitions.json").write_text(json.dumps(definitions.lasting(BROKER)))
    monkeypatch.setattr(definitions, "ask", Broker("queues", "bindings").ask)
    with pytest.raises(SystemExit, match=r'was copied and is not there:\nexchanges: .*"events"'):
        definitions.declare()


def test_a_drill_in_which_something_is_missing_is_not_good(room: Path) -> None:
    kept = definitions.lasting(BROKER)
    (room / "definitions.json").write_text(json.dumps(kept))
    (room / "found.json").write_text(json.dumps({**kept, "queues": []}))
    with pytest.raises(SystemExit, match="queues: "):
        definitions.compare()
    (room / "found.json").write_text(json.dumps(kept))
    definitions.compare()


def test_a_copy_that_is_none_is_told_of(room: Path) -> None:
    (room / "definitions.json").write_text("{")
    with pytest.raises(SystemExit, match="the copy holds no definitions"):
        definitions.compare()


class Walls:
    """A broker behind walls that do not know a new pod yet, by what each try meets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *tries: Exception | bytes) -> None:
        self.waited: list[float] = []
        self._tries = iter(tries)
        for name in ("NAME", "PASSWORD"):
            monkeypatch.setenv(name, "backups")
        monkeypatch.setenv("BROKER", "https://broker.test")
        monkeypatch.setattr(definitions.urllib.request, "urlopen", self._open)
        monkeypatch.setattr(definitions.ssl, "create_default_context", self._trusted)
        monkeypatch.setattr(definitions.time, "sleep", self.waited.append)

    def _trusted(self, **_: object) -> None:
        return None

    def _open(self, *_: object, **_options: object) -> io.BytesIO:
        met = next(self._tries)
        if isinstance(met, Exception):
            raise met
        return io.BytesIO(met)


def test_a_broker_is_asked_until_walls_know_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = URLError(ConnectionRefusedError())
    walls = Walls(monkeypatch, closed, closed, b'[{"name": "shop"}]')
    assert definitions.ask("vhosts") == [{"name": "shop"}]
    assert len(walls.waited) == 2


def test_a_broker_that_refuses_is_not_asked_again_and_one_that_never_answers_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = HTTPError("https://broker.test", 401, "Unauthorized", Message(), None)
    walls = Walls(monkeypatch, refused, b"[]")
    with pytest.raises(HTTPError):
        definitions.ask("vhosts")
    assert walls.waited == []
    away = Walls(monkeypatch, *[URLError(ConnectionRefusedError())] * definitions.TRIES)
    with pytest.raises(URLError):
        definitions.ask("vhosts")
    assert len(away.waited) == definitions.TRIES - 1

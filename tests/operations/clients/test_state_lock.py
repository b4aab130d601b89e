"""The lock of a state, for what has to be alone with it beside OpenTofu."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace

import pytest

from constructs_lib.environment.repository import StateBucket
from operations.clients.spaces import Spaces
from operations.clients.state_lock import BusyError, StateLock
from tests.fakes.server import Fault
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY, FakeSpaces

STATE = StateBucket(bucket="states", region="lon1")
KEY = "sandbox-cluster.tfstate.tflock"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSpaces]:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=list[float]().append))
    with FakeSpaces() as server:
        for name in ("SPACES_ENDPOINT_URL", "HTTP_PROXY"):
            monkeypatch.setenv(name, server.environment()[name])
        spaces().create(STATE)
        yield server


def spaces() -> Spaces:
    return Spaces(ACCESS_KEY, SECRET_KEY)


def lock(state: StateBucket = STATE) -> StateLock:
    return StateLock(spaces(), state, "sandbox-cluster")


def test_it_is_held_in_the_form_of_opentofu_and_let_go(fake: FakeSpaces) -> None:
    with lock().held("tidying"):
        (key,) = fake.objects("states")
        info = json.loads(fake.objects("states")[key])
        assert (key, info["Operation"], info["Path"]) == (KEY, "tidying", "states/sandbox-cluster.tfstate")
        assert datetime.fromisoformat(info["Created"]).tzinfo is not None
        assert info.keys() == {"ID", "Operation", "Info", "Who", "Version", "Created", "Path"}
    assert fake.objects("states") == {}


def test_it_is_held_by_one_alone(fake: FakeSpaces) -> None:
    sentence = r"its state is locked by operations@\S+ since \S+ \(tidying\); wait for that run, or, if it is dead, run"
    with lock().held("tidying"):
        with pytest.raises(BusyError, match=sentence), lock().held("more"):
            pytest.fail("both hold it")
        assert list(fake.objects("states")) == [KEY]


def test_it_is_let_go_whatever_happens(fake: FakeSpaces) -> None:
    with pytest.raises(KeyboardInterrupt), lock().held("tidying"):
        raise KeyboardInterrupt
    assert fake.objects("states") == {}


def test_one_whose_answer_is_lost_is_held(fake: FakeSpaces) -> None:
    lost = Fault("PUT", f".*/{KEY}", lost=True)
    fake.faults.append(lost)
    with lock().held("tidying"):
        assert list(fake.objects("states")) == [KEY]
    assert (lost.times, fake.objects("states")) == (0, {})


def test_one_that_somebody_took_meanwhile_is_theirs(fake: FakeSpaces) -> None:
    with lock().held("tidying"):
        spaces().remove(STATE, KEY)
        spaces().write_new(STATE, KEY, b'{"ID": "theirs"}')
    assert fake.objects("states") == {KEY: b'{"ID": "theirs"}'}


def test_a_bucket_without_conditional_writes_has_none(fake: FakeSpaces) -> None:
    without = lock(STATE.model_copy(update={"use_lockfile": False}))
    spaces().write_new(STATE, KEY, b'{"ID": "old"}')
    writes = len(fake.writes)
    with without.held("tidying"):
        assert without.version() is None
    assert len(fake.writes) == writes


def test_a_version_is_that_of_the_state_while_nobody_holds_the_lock(fake: FakeSpaces) -> None:
    assert lock().version() is None
    spaces().write_new(STATE, "sandbox-cluster.tfstate", b"1")
    assert lock().version() == spaces().version(STATE, "sandbox-cluster.tfstate")
    with (
        lock().held("tidying"),
        pytest.raises(BusyError, match=r"sandbox-cluster: its state is locked by .* \(tidying"),
    ):
        lock().version()

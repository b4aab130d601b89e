"""The one plan of every stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.bucket import Bucket
from constructs_lib.environment.repository import StateBucket
from operations.clients.tofu import Change
from operations.provisioning.planning import Planner, Reading

CHANGES = [Change("digitalocean_tag.x", "digitalocean_tag", ("create",), {"name": "x"}, imported=False, before={})]
FILE = Path("x.tfplan")


class Buckets:
    """What Spaces holds."""

    def __init__(self, *names: str) -> None:
        self.names = [*names]

    def exists(self, bucket: Bucket) -> bool:
        return bucket.bucket in self.names

    def create(self, bucket: Bucket) -> None:
        self.names.append(bucket.bucket)


class FakeStack:
    """A stack that writes down what it is asked."""

    name = "sandbox-cluster"
    state = StateBucket(bucket="states", region="lon1")

    def __init__(self, buckets: Buckets) -> None:
        self.buckets, self.calls = buckets, list[Any]()

    def init(self) -> None:
        assert self.buckets.exists(self.state)
        self.calls.append("init")

    def plan(self, file: Path, **options: bool) -> list[Change]:
        self.calls.append(("plan", file, options))
        return CHANGES

    def plan_without_state(self, file: Path) -> list[Change]:
        self.calls.append(("plan without state", file))
        return CHANGES

    def describe(self, file: Path) -> str:
        return f"text of {file}"


def planned(buckets: Buckets, **options: bool) -> FakeStack:
    """Plan a stack and return it."""
    stack: Any = FakeStack(buckets)
    spaces: Any = buckets
    looked_up: list[str] = []

    def lookup(after: dict[str, Any]) -> None:
        looked_up.append(after["name"])

    planner = Planner(spaces, {"digitalocean_tag": lookup})
    reading = planner.plan(stack, FILE, **{"prepare": False, **options})
    assert reading == Reading("sandbox-cluster", CHANGES, "text of x.tfplan")
    assert reading.differs
    stack.calls += looked_up
    return stack


def test_without_a_bucket_a_plan_is_made_as_if_there_were_one() -> None:
    buckets = Buckets()
    assert planned(buckets).calls == [("plan without state", FILE)]
    assert buckets.names == []


def test_a_missing_bucket_is_made_if_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    buckets = Buckets()
    assert planned(buckets, prepare=True).calls == ["init", ("plan", FILE, {"lock": True}), "x"]
    assert buckets.names == ["states"]
    assert capsys.readouterr().out == "bucket states: made, to keep the state in\n"


def test_a_bucket_that_is_there_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(Buckets("states"), prepare=True).calls == ["init", ("plan", FILE, {"lock": True}), "x"]
    assert capsys.readouterr().out == ""


def test_who_only_looks_locks_nothing() -> None:
    assert planned(Buckets("states")).calls == ["init", ("plan", FILE, {"lock": False}), "x"]


def test_nothing_is_taken_over_to_be_destroyed() -> None:
    assert planned(Buckets("states"), destroy=True).calls == [
        "init",
        ("plan", FILE, {"destroy": True, "refresh": True}),
    ]

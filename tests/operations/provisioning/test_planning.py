"""The one plan of every stack."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tenacity import stop_after_attempt

from constructs_lib.base.bucket import Bucket
from constructs_lib.environment.repository import StateBucket
from operations.clients.state_lock import BusyError
from operations.clients.tofu import Change
from operations.provisioning.planning import Planner, Reading

CHANGES = [Change("digitalocean_tag.x", "digitalocean_tag", ("create",), {"name": "x"}, imported=False, before={})]
FILE = Path("x.tfplan")


class Buckets:
    """What Spaces holds, and what is seen of locks and versions at each look; the last look is repeated."""

    def __init__(self, *names: str, locks: Sequence[bool] = (False,), versions: Sequence[str] = ("1",)) -> None:
        self.names, self.locks, self.versions = [*names], [*locks], [*versions]

    def read(self, bucket: Bucket, key: str) -> bytes | None:
        assert (bucket.bucket, key) == ("states", "sandbox-cluster.tfstate.tflock")
        held = json.dumps({"ID": "abc", "Operation": "OperationTypeApply", "Who": "me@here", "Created": "now"})
        return held.encode() if _next(self.locks) else None

    def version(self, bucket: Bucket, key: str) -> str:
        assert (bucket.bucket, key) == ("states", "sandbox-cluster.tfstate")
        return _next(self.versions)

    def exists(self, bucket: Bucket) -> bool:
        return bucket.bucket in self.names

    def create(self, bucket: Bucket) -> None:
        self.names.append(bucket.bucket)


def _next(items: list[Any]) -> Any:
    return items.pop(0) if len(items) > 1 else items[0]


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


LOOK = ("plan", FILE, {"lock": False})
HELD = (
    "sandbox-cluster: its state is locked by me@here since now (apply); wait for that run, or, if it is dead, run "
    "`tofu -chdir=cdktf.out/stacks/sandbox-cluster force-unlock abc`"
)
CHANGED = "sandbox-cluster: its state changed while it was planned; plan again"


def test_who_only_looks_waits_until_nobody_works_with_the_state(
    slept: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    buckets = Buckets("states", locks=(True, True, False))
    assert planned(buckets).calls == ["init", LOOK, "x"]
    assert slept == [15, 15]
    assert capsys.readouterr().out == f"{HELD} …\n" * 2


@pytest.mark.parametrize(
    ("seen", "said"), [({"versions": ("1", "2", "2")}, CHANGED), ({"locks": (False, True, False)}, HELD)]
)
def test_what_changed_while_it_was_planned_is_planned_again(
    slept: list[float], capsys: pytest.CaptureFixture[str], seen: dict[str, Any], said: str
) -> None:
    assert planned(Buckets("states", **seen)).calls == ["init", LOOK, LOOK, "x", "x"]
    assert capsys.readouterr().out == f"{said} …\n"


def test_a_lock_that_stays_is_told(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed: Any = Planner._undisturbed  # pyright: ignore[reportPrivateUsage]
    assert undisturbed.retry.stop.max_delay == 900
    monkeypatch.setattr(undisturbed.retry, "stop", stop_after_attempt(3))
    with pytest.raises(BusyError) as told:
        planned(Buckets("states", locks=(True,)))
    assert (str(told.value), len(slept)) == (HELD, 2)


def test_who_plans_for_an_apply_leaves_the_lock_to_opentofu() -> None:
    assert planned(Buckets("states", locks=(True,)), prepare=True).calls == [
        "init",
        ("plan", FILE, {"lock": True}),
        "x",
    ]

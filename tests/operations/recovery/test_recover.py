"""Each run of a recovery looks how far it is, and does one step: it changes the file, or says what has to be seen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import ENVIRONMENTS, Environment, load
from constructs_lib.platform.recovery import Origin, recovery_name
from operations.recovery.change import changed
from operations.recovery.kinds import KINDS, kind_of
from operations.recovery.recover import Step, Wanted, beside, lost
from operations.rotation.in_cluster import InCluster
from tests.support import ROOT

UNTIL = "2026-01-31T04:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / ENVIRONMENTS, tmp_path / "environments")
    return tmp_path / "environments"


def env(folder: Path) -> Environment:
    return load(folder / "sandbox.yaml")


class There(dict[str, dict[str, Any]]):
    """What a cluster has, by name."""

    def item(self, _api: str, _plural: str, _namespace: str, name: str) -> dict[str, Any] | None:
        return self.get(name)

    @property
    def seen(self) -> InCluster:
        return cast("InCluster", self)


class Only(There):
    """What a cluster has, by its kind's plural."""

    def __init__(self, plural: str) -> None:
        self._plural = plural

    def item(self, _api: str, plural: str, _namespace: str, name: str) -> dict[str, Any] | None:
        return {"metadata": {"name": name}} if plural == self._plural else None


def everything(_: str) -> bool:
    """Say that a bucket holds it."""
    return True


def taken(folder: Path, step: Step) -> Environment:
    assert step.edit is not None
    changed(folder, "sandbox", step.edit)
    return env(folder)


def recovered(name: str) -> Callable[..., dict[str, Any]]:
    return {
        "postgres": lambda: {"restored": {"status": {"phase": "Cluster in healthy state"}}},
    }.get(name, lambda: {recovery_name("restored", Origin(archive="main-1")): {"status": {"succeeded": 1}}})


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
def test_a_cluster_comes_back_beside_the_old_one_step_by_step(folder: Path, name: str) -> None:
    kind = kind_of(name)
    wanted, there = Wanted(kind, "main", "restored"), There()
    now = taken(folder, beside(env(folder), wanted, there.seen, finish=False))
    old, new = (kind.cluster(now, one) for one in ("main", "restored"))
    assert old is not None
    assert new is not None
    assert new.recover_from == Origin(archive="main-1")
    assert new == old.model_copy(update={"name": "restored", "recover_from": new.recover_from})

    waits = beside(now, wanted, there.seen, finish=True)
    assert waits.edit is None, "who was not seen to be there is not finished"
    assert waits.then[0].startswith(f"{name} restored ")

    there.update(recovered(name)())
    looks = beside(now, wanted, there.seen, finish=False)
    assert looks.edit is None
    assert looks.then[-1] == "then run this again with --finish"
    now = taken(folder, beside(now, wanted, there.seen, finish=True))
    again = kind.cluster(now, "restored")
    assert again is not None
    assert again.recover_from is None
    over = beside(now, wanted, there.seen, finish=True)
    assert over.edit is None
    assert "end main or restored" in over.then[0]


def test_a_job_that_failed_says_how_it_is_begun_again(folder: Path) -> None:
    wanted = Wanted(kind_of("valkey"), "main", "restored")
    now = taken(folder, beside(env(folder), wanted, There().seen, finish=False))
    job = recovery_name("restored", Origin(archive="main-1"))
    failed = beside(now, wanted, There({job: {"status": {"failed": 1}}}).seen, finish=True)
    assert f"kubectl -n cache delete job {job}" in failed.then[0]


def test_what_was_recovered_is_not_turned_to_another_time(folder: Path) -> None:
    wanted = Wanted(kind_of("postgres"), "main", "restored", UNTIL)
    now = taken(folder, beside(env(folder), wanted, There().seen, finish=False))
    other = wanted._replace(until="2026-01-30T04:00:00Z")
    with pytest.raises(ConfigError, match=f"'restored' recovers main-1 until {UNTIL}; .* another name by --as"):
        beside(now, other, There().seen, finish=False)


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ("9999-01-31T04:00:00Z", "is to come"),
        ("2026-01-31T04:00:00", "is no time with its zone"),
        ("yesterday", "is no time with its zone"),
        ("2026-01-31T03:59:59Z", f"is before {UNTIL}, the first time that a backup in main-1 reaches"),
    ],
)
def test_a_time_that_no_backup_reaches_is_refused(folder: Path, until: str, words: str) -> None:
    window = {"main-1": {"firstRecoverabilityPoint": UNTIL}, "main-2": {}}
    there = There(main={"status": {"serverRecoveryWindow": window}})
    with pytest.raises(ConfigError, match=words):
        beside(env(folder), Wanted(kind_of("postgres"), "main", "restored", until), there.seen, finish=False)


def test_the_first_time_that_a_backup_reaches_is_taken(folder: Path) -> None:
    there = There(main={"status": {"serverRecoveryWindow": {"main-1": {"firstRecoverabilityPoint": UNTIL}}}})
    step = beside(env(folder), Wanted(kind_of("postgres"), "main", "restored", UNTIL), there.seen, finish=False)
    made = kind_of("postgres").cluster(taken(folder, step), "restored")
    assert made is not None
    assert made.recover_from == Origin(archive="main-1", until=UNTIL)


def test_one_that_is_not_there_is_told_with_those_that_are(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"sandbox\.yaml: unknown cluster 'mian', known are main"):
        beside(env(folder), Wanted(kind_of("valkey"), "mian", "restored"), None, finish=False)
    with pytest.raises(ConfigError, match="unknown kind 'mysql', known are postgres, rabbitmq, valkey"):
        kind_of("mysql")


def test_all_that_was_lost_comes_back_from_the_generation_before(folder: Path) -> None:
    now = taken(folder, lost(env(folder), None, everything, finish=False))
    assert now.cluster.generation == 2
    origins = {kind.name: one.recover_from for kind in KINDS for one in kind.clusters(now)}
    assert origins == dict.fromkeys(("postgres", "rabbitmq", "valkey"), Origin(archive="main-1"))

    without = lost(now, None, everything, finish=True)
    assert (without.edit, without.then) == (
        None,
        ("sandbox has no Kubernetes cluster yet; provision it, and run this again",),
    )
    job = recovery_name("main", Origin(archive="main-1"))
    there = There({"main": {"status": {"phase": "Cluster in healthy state"}}})
    waits = lost(now, there.seen, everything, finish=True)
    assert waits.edit is None
    assert [line.partition(" main ")[0] for line in waits.then[:-1]] == ["rabbitmq", "valkey"]
    there[job] = {"status": {"succeeded": 1}}
    assert lost(now, there.seen, everything, finish=False).edit is None
    done = taken(folder, lost(now, there.seen, everything, finish=True))
    assert done.cluster.generation == 2
    assert not [one for kind in KINDS for one in kind.clusters(done) if one.recover_from]


def test_what_lives_is_not_lost(folder: Path) -> None:
    with pytest.raises(ConfigError, match="sandbox: valkey main is in cluster episodic-sandbox, so nothing is lost"):
        lost(env(folder), Only("valkeys").seen, everything, finish=False)
    assert lost(env(folder), There().seen, everything, finish=False).edit is not None


def test_what_the_bucket_has_nothing_of_begins_empty_and_says_so(folder: Path) -> None:
    with pytest.raises(ConfigError, match="bucket episodic-sandbox-backups holds nothing of generation 1, so there is"):
        lost(env(folder), None, lambda _: False, finish=False)
    asked: list[str] = []

    def holds(prefix: str) -> bool:
        asked.append(prefix)
        return prefix.startswith("rabbitmq/")

    step = lost(env(folder), None, holds, finish=False)
    assert step.then[:2] == tuple(
        f"{kind} main begins empty: the bucket holds nothing of it" for kind in ("postgres", "valkey")
    )
    now = taken(folder, step)
    assert [one.recover_from is None for kind in KINDS for one in kind.clusters(now)] == [True, False, True]
    assert asked == ["postgres/main-1/", "rabbitmq/main-1.tar.gz", "valkey/main-1.tar.gz"]


def test_a_file_that_would_not_be_right_is_left_as_it_was(folder: Path) -> None:
    before = (folder / "sandbox.yaml").read_text()
    with pytest.raises(ConfigError, match="generation"):
        changed(folder, "sandbox", lambda text: text.set(("cluster",), "generation", -1))
    assert (folder / "sandbox.yaml").read_text() == before

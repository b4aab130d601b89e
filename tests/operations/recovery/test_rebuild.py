"""Each run of a rebuild goes as far as it can, in the order that loses nothing, and says what a person has to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import boto3
import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from operations.bootstrap.bootstrap import Bootstrap
from operations.provisioning import vault_login
from operations.recovery import rebuild
from operations.recovery.recover import Step
from operations.rotation.in_cluster import InCluster
from tests.fakes.tofu import change
from tests.operations.conftest import Outside
from tests.support import environment_data

PLANS = Path("plans.out")
NEW = {"cluster__generation": 2}
HEALTHY = {"status": {"phase": "Cluster in healthy state", "succeeded": 1}}


class There:
    """A cluster in which everything is as it says."""

    def __init__(self, item: dict[str, Any] | None = None) -> None:
        self._item = item

    def item(self, *_: str) -> dict[str, Any] | None:
        return self._item


class World:
    """The sandbox, what its cluster is, and how Flux gets on there."""

    def __init__(self, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outside, self.there = outside, cast("InCluster | None", None)
        self.not_ready: tuple[str, ...] = ()
        outside.synthesise(outside.environment())
        monkeypatch.setattr(rebuild, "in_cluster", self._cluster)
        monkeypatch.setattr(rebuild, "wait_ready", self._wait)
        monkeypatch.setattr(vault_login, "has_to_be_told", self._knows)

    def _cluster(self, *_: object) -> InCluster | None:
        return self.there

    def _knows(self, *_: object) -> bool:
        return False

    def _wait(self, _env: Environment, **seconds: float) -> None:
        assert seconds == {"timeout_seconds": 7, "poll_seconds": 10}
        if self.not_ready:
            raise ConfigError(*self.not_ready)

    def lives(self, item: dict[str, Any] | None = None) -> None:
        """Let the cluster be there, with this as each object."""
        self.there = cast("InCluster", There(item))
        self.outside.digitalocean.add_cluster("episodic-sandbox")
        (cluster,) = self.outside.digitalocean.clusters.values()
        cluster["vpc_uuid"] = "vpc"
        network = {"id": "vpc", "name": "episodic-sandbox", "ip_range": "10.20.0.0/20"}
        self.outside.digitalocean.vpcs["vpc"] = network
        self.outside.digitalocean.zones.records["episodic.example"] = {}

    def run(self, file: str = "sandbox", *, finish: bool = False, **changes: Any) -> Step:
        """Run it once on an environment with these changes."""
        env = self.outside.environment(file, **changes)
        return rebuild.rebuild([env], env, PLANS, rebuild.Patience(0, 7), finish=finish)

    def merge(self, *files: str, **changes: Any) -> None:
        """Let the GitOps repository have what is rendered of the sandbox, or of these environments."""
        self.outside.github.repositories.pop("episodic-gitops", None)
        environments = [self.outside.environment(file, **changes) for file in files or ("sandbox",)]
        Bootstrap(environments).layout(environments, dry_run=False)


@pytest.fixture
def world(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(outside, monkeypatch)


def recovering(**more: Any) -> dict[str, Any]:
    """Return what the file says after the first step."""
    (cluster,) = environment_data()["platform"]["cloudnative_pg"]["clusters"]
    return {**NEW, "platform__cloudnative_pg__clusters": [{**cluster, "recover_from": {"archive": "main-1"}}], **more}


def keep(outside: Outside, key: str) -> None:
    """Put an object into the bucket of backups."""
    storage: Any = boto3.resource("s3", endpoint_url=outside.spaces.url)
    bucket = storage.Bucket("episodic-sandbox-backups")
    bucket.create()
    bucket.put_object(Key=key, Body=b"x")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of the test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_first_the_file_says_where_data_comes_from(world: World) -> None:
    keep(world.outside, "postgres/main-1/base/1/data.tar.gz")
    step = world.run()
    assert step.title == "Make the data of sandbox anew from its backups"
    assert step.edit is not None
    assert step.then == (
        "rabbitmq main begins empty: the bucket holds nothing of it",
        "valkey main begins empty: the bucket holds nothing of it",
        "merge, run `make synth` with it, and run this again",
    )
    assert not PLANS.exists()
    assert world.outside.github.writes == []


def test_then_flux_has_to_find_it_before_a_cluster_is_there(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    keep(world.outside, "postgres/main-1/base/1/data.tar.gz")
    world.merge()
    step = world.run(**recovering())
    assert step == Step(
        "", None, ("merge the pull request that is open in df12-test/episodic-gitops, and run this again",)
    )
    assert "pull request 1 opened" in capsys.readouterr().out
    assert not PLANS.exists(), "nothing is planned before"


def test_a_later_tier_runs_what_is_promoted_to_it(world: World) -> None:
    world.merge("staging")
    step = world.run("staging", cluster__generation=2)
    assert "let staging run it (`bin/operations promote`, from an environment of tier sandbox)" in step.then[0]


def test_then_each_stage_is_planned_and_waits_for_who_reads_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.merge(**recovering())
    keep(world.outside, "valkey/main-2.tar.gz")  # of a run before
    world.outside.tofu.changes = {"sandbox-cluster": [change("digitalocean_tag.x", "create")]}
    world.outside.tofu.save()
    step = world.run(**recovering())
    assert step.then == (
        "read the plans of foundation, run `bin/operations provision apply sandbox`, and run this again",
    )
    assert "sandbox-cluster: 1 resources to change\n" in capsys.readouterr().out
    assert (PLANS / "sandbox-cluster.tfplan").exists() or list(PLANS.iterdir())


def test_at_last_the_data_is_looked_at_and_files_forget_where_it_came_from(world: World) -> None:
    changes = recovering()
    world.merge(**changes)
    world.lives(HEALTHY)
    assert world.run(**changes).then[-1] == "then run this again with --finish"
    over = world.run(**changes, finish=True)
    assert over.edit is not None
    assert over.title == "Forget where postgres main of sandbox came from"


def test_what_is_late_is_told_of_beside_what_is_not_ready(world: World) -> None:
    changes = recovering()
    world.merge(**changes)
    world.lives()
    world.not_ready = ("sandbox: databases-configs waits",)
    with pytest.raises(ConfigError) as told:
        world.run(**changes)
    assert told.value.problems == ("sandbox: databases-configs waits", "postgres main is not there yet")


def test_an_environment_that_is_up_is_left_alone(world: World) -> None:
    keep(world.outside, "postgres/main-1/base/1/data.tar.gz")
    world.merge()
    world.lives(HEALTHY)
    assert world.run(finish=True) == Step("", None, ("sandbox is up, and nothing is to be recovered",))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"region": "ams3"}, "lon1 instead of ams3"),
        ({"vpc_range": "10.21.0.0/20"}, "10.20.0.0/20 instead of 10.21.0.0/20"),
    ],
)
def test_a_cluster_in_another_place_is_ended_first(world: World, changes: dict[str, Any], place: str) -> None:
    world.lives(HEALTHY)
    step = world.run(**changes)
    assert step.then[0].startswith(f"cluster episodic-sandbox is in {place}: end it first, as docs/how-to/rebuild-an-")
    assert world.outside.github.writes == []

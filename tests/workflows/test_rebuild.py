"""The sandbox comes back after its cluster or its bucket of states is lost, by the commands, with real providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.jobs import jobs_completed
from tests.workflows.conftest import project_in
from tests.workflows.flux import BecomesReady
from tests.workflows.world import World

STAGES = ("foundation", "services", "dns")
ARCHIVES = ("postgres/main-1/base/20260131T040000/data.tar.gz", "valkey/main-1.tar.gz")
BACKUPS, STATE = "episodic-sandbox-backups", "episodic-sandbox-state"
APPLY = ("provision", "apply", "sandbox")


@pytest.fixture
def living(make_world: Callable[..., World], flux_cluster: Cluster) -> Iterator[World]:
    """A world whose clusters turn out to be a real API server, with the sandbox in it."""
    world = make_world("world", flux_cluster)
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    with BecomesReady(flux_cluster, world.digitalocean, "episodic-sandbox-ingress"), jobs_completed(flux_cluster):
        folder = project_in(world, world.folder / "project").folder
        world.run("bootstrap", "secrets", folder=folder)
        world.synthesise(folder)
        world.run("bootstrap", "layout", folder=folder)
        for stage in STAGES:
            plan(world, stage)
            world.run(*APPLY, folder=folder)
        yield world


def plan(world: World, stage: str) -> str:
    command = ("provision", "plan", "sandbox", "--stage", stage, "--prepare", "--wait", "60")
    return world.run(*command, folder=world.folder / "project")


def storage(world: World, bucket: str) -> Any:
    """Return a bucket as its owner has it."""
    made: Any = boto3.resource(
        "s3", endpoint_url=world.spaces.url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    return made.Bucket(bucket)


def test_a_lost_bucket_of_states_is_made_anew_by_taking_over_what_is_there(living: World) -> None:
    before, bucket = living.end_state(), storage(living, STATE)
    bucket.object_versions.delete()
    bucket.delete()
    for stage in STAGES:
        planned = plan(living, stage)
        assert "to import" in planned or stage == "foundation", planned
        living.run(*APPLY, folder=living.folder / "project")
    assert living.end_state() == before
    assert len(storage(living, STATE).meta.client.list_objects_v2(Bucket=STATE)["Contents"]) == 4
    for stage in STAGES:
        assert ": 0 resources to change in" in plan(living, stage).replace("sandbox: 0", ": 0")


def test_a_lost_cluster_is_made_anew_step_by_step_with_its_data(living: World) -> None:
    world, folder = living, living.folder / "project"

    def rebuild() -> str:
        command = ("rebuild", "sandbox", "--timeout", "20", "--balancer", "60")
        # On a person's machine, as no job's role may do all of it.
        return world.run(*command, folder=folder, VAULT_TOKEN=world.vault.token, ACTIONS_ID_TOKEN_REQUEST_URL="")

    assert "sandbox is up, and nothing is to be recovered" in rebuild()
    for key in ARCHIVES:
        storage(world, BACKUPS).put_object(Key=key, Body=b"of the cluster that is lost")
    world.digitalocean.clusters.clear()
    world.digitalocean.balancers.clear()

    assert "rabbitmq main begins empty: the bucket holds nothing of it" in rebuild()
    file = yaml.safe_load((folder / "environments/sandbox.yaml").read_text())
    assert file["cluster"]["generation"] == 2
    (cluster,) = file["platform"]["cloudnative_pg"]["clusters"]
    assert cluster["recover_from"] == {"archive": "main-1"}
    world.synthesise(folder)

    for _ in range(2):  # a run that was killed is run again
        assert "merge the pull request that is open in df12-test/episodic-gitops" in rebuild()
    merge(world)
    assert "read the plans of foundation, run `bin/operations provision apply sandbox`" in rebuild()
    assert world.digitalocean.clusters == {}, "nothing is applied that nobody read"
    world.run(*APPLY, folder=folder)
    # Its API server is the one from before, with Flux and all, and no operator runs behind it: test_rebuild of
    # tests/e2e/node shows how data comes back.
    world.digitalocean.add_balancer("episodic-sandbox-ingress")
    said = rebuild()
    while "read the plans of" in said:
        world.run(*APPLY, folder=folder)
        said = rebuild()
    assert [found["name"] for found in world.digitalocean.clusters.values()] == ["episodic-sandbox"]
    assert "postgres main is not there yet" in said
    assert "run this again" in said


def merge(world: World) -> None:
    """Merge what is open in the GitOps repository."""
    (number,) = (number for number, one in world.repository["pulls"].items() if one["state"] == "open")
    world.github.talk.merge(world.repository, number)

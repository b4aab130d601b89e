"""The workflow that plans, applies and destroys an environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.jobs import jobs_completed
from tests.workflows.act import Project, Run, run_workflow
from tests.workflows.conftest import project_in
from tests.workflows.flux import BecomesReady
from tests.workflows.world import INFRASTRUCTURE, SANDBOX_POOLS, World

WORKFLOW = "provision-doks.yml"


def run(project: Project, world: World, action: str, *, kill_after: str = "", **inputs: str) -> Run:
    """Run the workflow for the sandbox as if somebody had dispatched it."""
    return run_workflow(
        project,
        WORKFLOW,
        inputs={"environment": "sandbox", "action": action, "confirm": "", **inputs},
        env=world.job_environment(project),
        path=[world.binaries],
        insecure_secrets=True,
        kill_after=kill_after,
    )


def steps(done: Run) -> list[str]:
    """Return the project's own steps that ran, with their job's last name."""
    own = ("Plan", "Apply", READY[0].partition(": ")[2])
    return [f"{step.job.rpartition('/')[2]}: {step.name}" for step in done.steps if step.name in own]


@pytest.fixture
def provisioned(make_world: Callable[..., World], flux_cluster: Cluster) -> Iterator[World]:
    """A world in which the GitOps repository is there, and clusters turn out to be a real API server."""
    world = make_world("world", flux_cluster)
    if not world.providers:
        flux_cluster.kubectl("create", "namespace", "flux-system")
    with BecomesReady(flux_cluster, world.digitalocean, "episodic-sandbox-ingress"), jobs_completed(flux_cluster):
        yield world


def test_an_environment_is_planned_applied_left_alone_and_destroyed(provisioned: World, tmp_path: Path) -> None:
    world = provisioned
    project = project_in(world, tmp_path / "project")
    world.run("bootstrap", "secrets", folder=project.folder)
    before, made = world.end_state(), len(world.digitalocean.writes)

    planned = run(project, world, "plan")
    planned.assert_succeeded()
    assert steps(planned) == ["Plan: Plan"] * 3
    assert "is planned once the cluster is there" in planned.output
    assert "is planned once the load balancer is there" in planned.output
    assert (world.end_state(), len(world.digitalocean.writes)) == (before, made)

    applied = run(project, world, "apply")
    applied.assert_succeeded()
    assert steps(applied) == [*["Plan: Plan", "Apply: Apply"] * 3, *READY]
    assert world.end_state()["clusters"] == ["episodic-sandbox"]
    assert world.spaces.objects("episodic-sandbox-state").keys() == {
        f"sandbox-{kind}.tfstate" for kind in ("state", "cluster", "flux", "dns")
    }
    if world.providers:
        assert world.end_state()["records"] == ["*.sandbox", "ingress.sandbox"]
        assert "https://ingress.sandbox.episodic.example/ answers" in applied.output
        (backups,) = (
            key for key in world.digitalocean.spaces_keys.values() if key["name"] == "episodic-sandbox-backups"
        )
        published = {"access_key_id": backups["access_key"], "secret_access_key": backups["secret_key"]}
        assert world.vault.read("sandbox/platform/backups") == published
        assert "| sandbox-cluster | 7 | 0 | 0 | 0 | 0 |" in applied.summary
    config: Any = world.vault.client().read("auth/jwt-sandbox/config")
    assert config["data"]["bound_issuer"] == "https://kubernetes.default.svc.cluster.local"

    writes, versions = world.writes(), world.vault.versions()
    again = run(project, world, "apply")
    again.assert_succeeded()
    assert steps(again) == [*["Plan: Plan"] * 3, *READY], "nothing changes, so nobody is asked to agree"
    assert (world.writes(), world.vault.versions()) == (writes, versions)
    world.assert_no_secret_in([planned, applied, again], project.folder)

    watch_for_drift(world, project)
    refused = run(project, world, "destroy", environment="production")
    assert not refused.succeeded
    assert "environments/production.yaml: cluster.protected is true" in refused.output
    run(project, world, "destroy").assert_succeeded()
    if world.providers:
        assert world.end_state()["clusters"] == world.end_state()["networks"] == world.end_state()["records"] == []
        assert [name for name in world.spaces.buckets() if "sandbox" in name] == SANDBOX_BUCKETS


SANDBOX_BUCKETS = ["episodic-sandbox-backups", "episodic-sandbox-state"]
SANDBOX_KEYS = ["episodic-sandbox-backups", "episodic-sandbox-plan", "episodic-sandbox-state"]
READY = ["Wait for Flux: Wait until Flux is ready and the host answers"]


def watch_for_drift(world: World, project: Project) -> None:
    """Look for drift where there is none, where there is some, and where there is none any more."""
    world.synthesise(project.folder)
    world.run("bootstrap", "layout", folder=project.folder)
    assert "is as it should be" in world.run("drift", "sandbox", folder=project.folder)
    if not world.providers:
        return
    report = ("drift", "sandbox", "--report", f"df12-test/{INFRASTRUCTURE}")
    issues = world.github.repositories[INFRASTRUCTURE]["issues"]
    (cluster,) = world.digitalocean.clusters.values()
    (pool,) = (pool for pool in cluster["node_pools"] if pool["name"].startswith("workload-"))
    pool["max_nodes"] = 9
    assert "sandbox: differs" in world.run("drift", "sandbox", folder=project.folder, code=1)
    world.run(*report, folder=project.folder, GITHUB_TOKEN=world.github.token)
    (issue,) = issues.values()
    assert "| sandbox-cluster | 0 | 1 | 0 | 0 | 0 |" in issue["body"]
    assert re.search(r"max_nodes +=? *9 -> 3", issue["body"])
    pool["max_nodes"] = 3
    world.run(*report, folder=project.folder, GITHUB_TOKEN=world.github.token)
    assert issue["state"] == "closed"
    assert [comment["body"] for comment in issue["comments"].values()] == ["Nothing differs any more."]


POINTS = (
    "Foundation/Provision a stage/Plan/Plan",
    "Foundation/Provision a stage/Plan/Keep the plans, which OpenTofu encrypted",
    "Foundation/Provision a stage/Apply/Fetch the plans",
    "Foundation/Provision a stage/Apply/Apply",
    "Services/Provision a stage/Plan/Plan",
    "Services/Provision a stage/Plan/Keep the plans, which OpenTofu encrypted",
    "Services/Provision a stage/Apply/Fetch the plans",
    "Services/Provision a stage/Apply/Apply",
    "DNS/Provision a stage/Plan/Plan",
    "DNS/Provision a stage/Apply/Apply",
    "Provision an environment/Wait for Flux/Wait until Flux is ready and the host answers",
)


def test_a_run_that_is_killed_after_any_step_is_finished_by_the_next(provisioned: World, tmp_path: Path) -> None:
    world = provisioned
    project = project_in(world, tmp_path / "project")
    world.run("bootstrap", "secrets", folder=project.folder)
    for point in POINTS:
        killed = run(project, world, "apply", kill_after=point)
        assert killed.killed, f"{point}: {steps(killed)}"
    writes = world.writes()
    run(project, world, "apply").assert_succeeded()
    assert world.writes() == writes
    found = world.end_state()
    assert found["clusters"] == ["episodic-sandbox"]
    assert [name for name in found["buckets"] if "sandbox" in name] == SANDBOX_BUCKETS
    if world.providers:
        assert found["records"] == ["*.sandbox", "ingress.sandbox"]
        assert found["pools"] == SANDBOX_POOLS
        assert found["networks"] == ["episodic-sandbox"]
        assert found["projects"] == ["default", "episodic-sandbox"]
        assert [name for name in found["keys"] if "sandbox" in name] == SANDBOX_KEYS

"""The workflows about changes, drift, promotion and short-lived resources."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.review.report import MARKER
from tests.workflows.act import Project, Run, run_workflow
from tests.workflows.conftest import project_in
from tests.workflows.world import INFRASTRUCTURE, REPOSITORY, World


def run(project: Project, world: World, workflow: str, *, fails: bool = False, **options: Any) -> Run:
    """Run a workflow, which has to succeed unless it `fails`."""
    env = {**world.job_environment(project), **options.pop("env", {})}
    token = {"GITHUB_TOKEN": world.github.token}
    done = run_workflow(
        project, workflow, env=env, secrets=token, path=[world.binaries], insecure_secrets=True, **options
    )
    if fails:
        assert done.code == 1
    else:
        done.assert_succeeded()
    world.assert_no_secret_in([done], project.folder)
    return done


class Change:
    """A pull request of this repository."""

    def __init__(self, project: Project, world: World) -> None:
        self.project, self.world = project, world
        self.base = project.commit("Before the change")
        self.pull = world.github.talk.add_pull(world.github.repositories[INFRASTRUCTURE], "topic")

    def edit(self, environment: str, **changes: Any) -> None:
        """Change keys of an environment file, and commit that."""
        path = f"environments/{environment}.yaml"
        data = yaml.safe_load((self.project.folder / path).read_text())
        for key, value in changes.items():
            *parents, last = key.split("__")
            target = data
            for parent in parents:
                target = target[parent]
            target[last] = value
        self.project.write(path, yaml.safe_dump(data))
        self.head = self.project.commit("Change")

    def run(self, *, fails: bool = False, job: str | None = None) -> Run:
        """Run the workflow for this pull request, or one job of it and what that needs.

        Of the tests, one file without tools and one with are enough here.
        """
        repository = {"full_name": "df12-test/infrastructure"}
        pull = {
            "number": self.pull["number"],
            "base": {"ref": "main", "sha": self.base},
            "head": {"ref": "topic", "sha": self.head, "repo": repository},
        }
        payload = {"number": self.pull["number"], "pull_request": pull}
        tests = "tests/constructs_lib/platform/test_component.py tests/workflows/test_static.py"
        env = {"PYTEST_ADDOPTS": tests}
        options = {"event": "pull_request", "payload": payload, "env": env, "job": job}
        return run(self.project, self.world, "pull-request.yml", fails=fails, **options)

    @property
    def comments(self) -> list[str]:
        """What the pull request's comments say."""
        return [comment["body"] for comment in self.pull["comments"].values()]


@pytest.fixture
def as_it_is(tmp_path: Path) -> Project:
    """Return this project with its own environment files: nothing of a pull request reaches the outside world."""
    return project_in(None, tmp_path / "as-it-is")


def test_a_pull_request_has_one_comment_that_says_what_it_changes(world: World, as_it_is: Project) -> None:
    change = Change(as_it_is, world)
    change.edit("sandbox", vpc_range="10.30.0.0/20", platform__traefik={"replicas": 2})
    done = change.run(fails=True)
    assert [name.rpartition("/")[2] for name, result in done.jobs.items() if result != "success"] == ["Synth and diff"]
    (comment,) = change.comments
    assert comment.startswith(MARKER)
    assert "- <b>sandbox</b>: <b>refused</b>\n" in comment
    assert "- <b>staging</b>: <b>nothing changes</b>\n" in comment
    assert "| sandbox-cluster | 0 | 0 | 4 | 0 | 0 |" in comment
    assert "<b>replaced</b> <code>digitalocean_vpc." in comment
    assert "<code>10.20.0.0/20</code> → <code>10.30.0.0/20</code>" in comment
    assert "HelmRelease flux-system traefik" in comment
    assert "Every policy is kept." in comment
    assert comment.strip() in done.summary
    assert done.log("Test on a real node").endswith("TOOLS_REQUIRED=1 make e2e-node\n")

    change.edit("sandbox", vpc_range="10.20.0.0/20")
    change.run(job="comment")
    (comment,) = change.comments
    assert "- <b>sandbox</b>: <b>rolls</b>\n" in comment
    assert "No stack changes." in comment
    writes = world.writes()
    change.run(job="comment")
    assert world.writes() == writes


def test_a_change_that_breaks_a_policy_fails_and_says_which(world: World, as_it_is: Project) -> None:
    change = Change(as_it_is, world)
    change.edit("sandbox", chart_mirror="http://charts.example.org")
    change.run(fails=True, job="comment")
    (comment,) = change.comments
    assert "| FLUX011 | platform/sources/sandbox/charts-example-org.yaml |" in comment


def test_drift_keeps_one_issue_for_each_environment(world: World, project: Project) -> None:
    world.run("bootstrap", "secrets", folder=project.folder)
    world.run("bootstrap", "layout", folder=project.folder)
    made = len(world.digitalocean.writes)
    run(project, world, "drift.yml", event="schedule")
    issues = world.github.repositories[INFRASTRUCTURE]["issues"]
    assert {issue["title"] for issue in issues.values()} == {
        f"Drift in {name}" for name in ("sandbox", "staging", "production")
    }
    assert all(f"{issue['title'].split()[-1]}-cluster" in issue["body"] for issue in issues.values())
    writes = world.writes()
    run(project, world, "drift.yml", event="schedule")
    assert world.writes() == writes
    assert len(world.digitalocean.writes) == made


def test_promotion_is_a_pull_request_with_what_it_changes(world: World, project: Project) -> None:
    world.run("bootstrap", "layout", folder=project.folder)
    file = "platform/traefik/staging/controllers/helmrelease-traefik.yaml"
    text = world.github.git.read(REPOSITORY, file)
    world.github.git.edit(REPOSITORY, file, text.replace('interval: "1h"', 'interval: "2h"'))
    head = world.github.git.head(REPOSITORY)

    inputs = {"from": "sandbox", "to": "staging", "commit": ""}
    run(project, world, "promote.yml", inputs=inputs)
    (pull,) = world.repository["pulls"].values()
    assert pull["title"] == f"Promote staging to {str(head)[:12]}"
    assert "HelmRelease flux-system traefik" in pull["body"]
    assert "<code>1h</code> → <code>2h</code>" in pull["body"]
    assert "Edit platform/traefik" in pull["body"]
    writes = world.writes()
    run(project, world, "promote.yml", inputs=inputs)
    assert world.writes() == writes

    world.github.talk.merge(world.repository, pull["number"])
    source = yaml.safe_load(world.github.git.read(REPOSITORY, "clusters/staging/source.yaml"))
    assert source["spec"]["ref"] == {"branch": "main", "commit": head}
    refused = run(project, world, "promote.yml", inputs={**inputs, "from": "sandbox", "to": "production"}, fails=True)
    assert "staging" in refused.log("Propose the promotion")


def test_short_lived_resources_are_made_and_removed(world: World, project: Project) -> None:
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    world.run("bootstrap", "secrets", folder=project.folder)
    run(project, world, "integration.yml", job="integration", env={"GITHUB_TOKEN": world.github.token})
    assert world.end_state()["clusters"] == world.end_state()["networks"] == []
    assert world.github.repositories.keys() == {INFRASTRUCTURE}


def test_a_crashed_test_is_swept_once_its_time_is_over(world: World, project: Project) -> None:
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    api = world.digitalocean
    asked = {"DIGITALOCEAN_TOKEN": api.token, "INTEGRATION": "1", "INTEGRATION_LIFE_SECONDS": "40"}
    test = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "tests/integration/test_cluster.py"],
        cwd=project.folder,
        env={**world.command_environment(), **asked},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    while not api.clusters:
        assert test.poll() is None, "the test ended before it made a cluster"
        time.sleep(0.1)
    os.killpg(test.pid, signal.SIGKILL)
    (tags,) = (cluster["tags"] for cluster in api.clusters.values())
    (expires,) = (int(tag.partition(":")[2]) for tag in tags if tag.startswith("expires:"))
    others = [api.add_cluster("eph-without-a-tag"), api.add_cluster("somebody-elses")]
    others[1]["tags"] = ["expires:1000000000"]

    assert "0 expired" in world.run("sweep", folder=project.folder, DIGITALOCEAN_TOKEN=api.token)
    time.sleep(max(0.0, expires + 1 - time.time()))
    assert "would be removed" in world.run("sweep", "--dry-run", folder=project.folder, DIGITALOCEAN_TOKEN=api.token)
    assert "3 expired" in world.run("sweep", folder=project.folder, DIGITALOCEAN_TOKEN=api.token)
    assert [cluster["name"] for cluster in api.clusters.values()] == ["eph-without-a-tag", "somebody-elses"]
    assert (api.vpcs, api.projects.keys()) == ({}, {"default"})

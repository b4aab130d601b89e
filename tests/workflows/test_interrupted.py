"""Commands that are interrupted in the middle of a change, and run again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflows.act import Project
from tests.workflows.world import SANDBOX_POOLS, World

FOUNDATION = ("provision", "plan", "sandbox", "--stage", "foundation", "--prepare")
APPLY = ("provision", "apply", "sandbox")


@pytest.fixture
def planned(world: World, project: Project) -> Path:
    """Return the project's folder, with the plans of the sandbox's foundation."""
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    world.run("bootstrap", "secrets", folder=project.folder)
    world.synthesise(project.folder)
    world.run(*FOUNDATION, folder=project.folder)
    return project.folder


def until(condition: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError("nothing happened in 60 s")


def stopped_once_the_cluster_is_asked_for(world: World, folder: Path, number: signal.Signals) -> str:
    """Apply, send the command (or all of it, if it is to be killed) a signal in the middle, and return what it said."""
    process = world.start(*APPLY, folder=folder)
    until(lambda: world.digitalocean.clusters)
    below = children(process.pid) if number is signal.SIGKILL else []
    for found in (process.pid, *below):
        os.kill(found, number)
    return process.communicate(timeout=120)[0]


def children(parent: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    own = [pid for pid, ppid in pairs if ppid == parent]
    return [*own, *(found for pid in own for found in children(pid))]


def test_an_interrupt_lets_opentofu_finish_and_keep_its_state(world: World, planned: Path) -> None:
    said = stopped_once_the_cluster_is_asked_for(world, planned, signal.SIGTERM)
    assert "stopping OpenTofu, which saves its state first" in said
    printed = world.run(*FOUNDATION, folder=planned)
    assert "to import" not in printed
    world.run(*APPLY, folder=planned)
    assert [cluster["name"] for cluster in world.digitalocean.clusters.values()] == ["episodic-sandbox"]


def test_what_a_killed_run_left_is_unlocked_by_hand_and_taken_over(world: World, planned: Path) -> None:
    stopped_once_the_cluster_is_asked_for(world, planned, signal.SIGKILL)
    locked = world.run(*FOUNDATION, folder=planned, code=2)
    assert re.search(r"sandbox-cluster: its state is locked by \S+@\S+ since .+ \(apply\); wait for that run", locked)
    found = re.search(r"`tofu (-chdir=\S+) force-unlock (\S+)`", locked)
    assert found, locked
    world.tofu(found[1], "force-unlock", "-force", found[2], folder=planned, environment="sandbox")
    printed = world.run(*FOUNDATION, folder=planned)
    assert re.search(r"sandbox-cluster: Plan: [234] to import", printed), printed
    world.run(*APPLY, folder=planned)
    end = world.end_state()
    assert (end["clusters"], end["pools"]) == (["episodic-sandbox"], SANDBOX_POOLS)
    assert (end["networks"], end["projects"]) == (["episodic-sandbox"], ["default", "episodic-sandbox"])
    assert "0 resources to change\n" in world.run(*FOUNDATION, folder=planned)


def test_a_plan_that_is_too_old_is_refused(world: World, planned: Path) -> None:
    world.run(*APPLY, folder=planned)
    assert "something changed since the plan was made; plan again" in world.run(*APPLY, folder=planned, code=2)


def test_a_state_on_this_machine_moves_into_its_bucket(world: World, project: Project) -> None:
    world.run("bootstrap", "secrets", folder=project.folder)
    world.synthesise(project.folder)
    stack = project.folder / "cdktf.out/stacks/sandbox-state"
    (stack / "local_override.tf.json").write_text('{"terraform": {"backend": {"local": {}}}}')
    world.tofu("init", folder=stack, environment="sandbox")
    world.tofu("apply", "-auto-approve", folder=stack, environment="sandbox")
    (stack / "local_override.tf.json").unlink()
    refused = world.run(*FOUNDATION, folder=project.folder, code=2)
    assert "run `bin/operations state-migrate sandbox-state`" in refused
    world.run("state-migrate", "sandbox-state", folder=project.folder)
    assert "sandbox-state.tfstate" in world.spaces.objects("episodic-sandbox-state")
    assert not list(stack.glob("terraform.tfstate*"))
    assert "sandbox-state: 0 resources to change" in world.run(*FOUNDATION, folder=project.folder)

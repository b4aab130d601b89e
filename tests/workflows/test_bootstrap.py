"""The workflow that brings up the GitOps repository, from an empty organisation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from operations.secrets.entries import public_half
from tests.workflows.act import Project, Run, Step, run_workflow
from tests.workflows.conftest import project_in
from tests.workflows.world import ENVIRONMENTS, REPOSITORY, World

INPUTS = {"organisation": "df12-test", "repository": REPOSITORY}
WORKFLOW = "bootstrap-gitops-repo.yml"


def run(project: Project, world: World, *, kill_after: str = "", **inputs: str | bool) -> Run:
    """Run the workflow as if somebody had dispatched it."""
    return run_workflow(
        project,
        WORKFLOW,
        inputs={**INPUTS, **inputs},
        env=world.job_environment(project),
        path=[world.binaries],
        insecure_secrets=True,
        kill_after=kill_after,
    )


def promoted(world: World, environment: str) -> dict[str, str]:
    """Return what the environment follows."""
    source = world.github.git.read(REPOSITORY, f"clusters/{environment}/source.yaml")
    return yaml.safe_load(source)["spec"]["ref"]


def test_an_empty_organisation_gets_its_repository_and_a_second_run_writes_nothing(
    world: World, project: Project
) -> None:
    first = run(project, world)
    first.assert_succeeded()
    pin, seed = world.github.git.log(REPOSITORY)
    assert promoted(world, "sandbox") == {"branch": "main"}
    assert promoted(world, "staging") == promoted(world, "production") == {"branch": "main", "commit": seed.id}
    assert pin.message == "Pin staging, production to the first commit"
    for name in ENVIRONMENTS:
        assert public_half(world.vault.read(f"{name}/flux")["deploy_key"], "").startswith("ssh-ed25519 ")
    rulesets = world.repository["rulesets"].values()
    assert {(ruleset["name"], ruleset["enforcement"]) for ruleset in rulesets} == {
        ("default-branch", "active"),
        ("workflows", "active"),
    }
    if world.providers:
        keys = {key["title"]: (key["key"], key["read_only"]) for key in world.repository["keys"].values()}
        held = {name: world.vault.read(f"{name}/flux")["deploy_key"] for name in ENVIRONMENTS}
        assert keys == {f"flux-{name}": (public_half(key, ""), True) for name, key in held.items()}
        assert world.repository["environments"].keys() == set(ENVIRONMENTS)

    writes, versions = world.writes(), world.vault.versions()
    second = run(project, world)
    second.assert_succeeded()
    assert world.writes() == writes
    assert world.vault.versions() == versions
    world.assert_no_secret_in([first, second], project.folder)


def test_a_dry_run_changes_nothing(world: World, project: Project) -> None:
    before = world.end_state()
    dry = run(project, world, dry_run=True)
    dry.assert_succeeded()
    assert "state_passphrase would be made" in dry.output
    assert "would be made and seeded" in dry.output
    assert world.end_state() == before
    assert world.writes() == []


def test_a_layout_that_was_broken_by_hand_is_repaired_by_pull_request(world: World, project: Project) -> None:
    world.run("bootstrap", "layout", folder=project.folder)
    file = "platform/baseline/sandbox/namespaces/namespace-episodic.yaml"
    right = world.github.git.read(REPOSITORY, file)
    world.github.git.edit(REPOSITORY, file, "kind: Namespace\n")
    world.github.git.edit(REPOSITORY, ".sourceignore", None)
    head = world.github.git.head(REPOSITORY)

    printed = world.run("bootstrap", "layout", folder=project.folder)
    assert f"{file} was edited by hand" in printed
    (pull,) = world.repository["pulls"].values()
    assert file in pull["body"]
    assert ".sourceignore" in pull["body"]
    assert world.github.git.head(REPOSITORY) == head
    assert world.github.git.read(REPOSITORY, file, pull["head"]["ref"]) == right

    writes = world.writes()
    assert "is open" in world.run("bootstrap", "layout", folder=project.folder)
    assert world.writes() == writes

    world.github.git.edit(REPOSITORY, ".sops.yaml", "another edit\n")
    world.run("bootstrap", "layout", folder=project.folder)
    states = [pull["state"] for pull in world.repository["pulls"].values()]
    assert states in (["closed", "open"], ["open"])
    number = max(world.repository["pulls"])
    world.github.talk.merge(world.repository, number)
    assert "is as it should be" in world.run("bootstrap", "layout", folder=project.folder)


STEPS = (
    "Check what only a person can bring",
    "Make what Vault lacks",
    "Seed or repair the layout",
    "Synthesise",
    "Plan and apply the settings",
    "See that the gates are enforced",
)


def test_a_run_that_is_killed_after_any_step_is_finished_by_the_next(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    undisturbed = make_world("undisturbed")
    run(project_in(undisturbed, tmp_path / "one"), undisturbed).assert_succeeded()
    wanted = undisturbed.end_state()
    undisturbed.close()
    world = make_world("killed")
    project = project_in(world, tmp_path / "two")
    for step in STEPS:
        killed = run(project, world, kill_after=step)
        assert killed.killed, step
        assert killed.steps[-1] == Step(killed.steps[-1].job, step, "success")
    run(project, world).assert_succeeded()
    assert world.end_state() == wanted

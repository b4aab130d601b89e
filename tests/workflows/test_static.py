"""What every workflow promises, read in its YAML: act knows nothing of permissions, approvals or concurrency."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from constructs_lib.environment import load_all
from constructs_lib.environment.rules import GITHUB_HOSTED
from operations.commands import app
from tests.e2e.conftest import require
from tests.support import ROOT

Yaml = dict[Any, Any]

FILES = sorted(ROOT.glob(".github/workflows/*.yml"))
RENDERED = ROOT / "gitops_render/repository_files/validate.yml"
ACTION = ROOT / ".github/actions/setup/action.yml"
ACTIONS = (ACTION, ROOT / ".github/actions/validate/action.yml")
OWN_ACTION = "INFRASTRUCTURE/.github/actions/validate@BRANCH"
"""What the rendered workflow uses, with words for which rendering puts names."""
WORKFLOWS: dict[str, Yaml] = {path.name: yaml.safe_load(path.read_text()) for path in (*FILES, RENDERED)}
CHANGING = {"bootstrap-gitops-repo.yml", "provision-doks.yml", "drift.yml", "promote.yml", "integration.yml"}


def jobs() -> Iterator[tuple[str, str, Yaml]]:
    """Yield the file, the name and the definition of every job."""
    yield from ((file, name, job) for file, flow in WORKFLOWS.items() for name, job in flow["jobs"].items())


def steps() -> Iterator[Yaml]:
    """Yield every step of every job and of the composite actions."""
    for _, _, job in jobs():
        yield from job.get("steps", [])
    for action in ACTIONS:
        yield from yaml.safe_load(action.read_text())["runs"]["steps"]


def inputs(file: str) -> Yaml:
    """Return the inputs of a workflow that is started by hand; YAML reads the key `on` as true."""
    return WORKFLOWS[file][True]["workflow_dispatch"]["inputs"]


def commands() -> Iterator[list[str]]:
    """Yield the arguments of every call of `operations`."""
    for step in steps():
        for line in step.get("run", "").splitlines():
            if line.startswith("bin/operations "):
                yield shlex.split(line)[1:]


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [zizmor, "--offline", "--no-progress", "--format", "plain", ROOT / ".github", RENDERED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.e2e
def test_actionlint_finds_nothing() -> None:
    require("actionlint")
    # actionlint 1.7.12 does not know it yet: rhysd/actionlint#657.
    known = ("-ignore", 'unexpected key "queue" for "concurrency" section')
    command = [ROOT / "tools/bin/actionlint", "-no-color", "-shellcheck=", "-pyflakes=", *known, *FILES, RENDERED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_actions_are_pinned_by_commit_and_alike_everywhere() -> None:
    lines = [line for path in (*FILES, RENDERED, *ACTIONS) for line in path.read_text().splitlines() if "uses:" in line]
    own = ("uses: ./", f"uses: {OWN_ACTION} ")
    foreign = {line.partition("uses:")[2].strip() for line in lines if not any(mine in line for mine in own)}
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", uses) for uses in foreign), foreign
    assert len({uses.partition("@")[0] for uses in foreign}) == len(foreign)


def test_no_job_may_more_than_it_needs() -> None:
    assert all(flow["permissions"] == {} for flow in WORKFLOWS.values())
    writes = {
        (file, name, what)
        for file, name, job in jobs()
        for what, how in job["permissions"].items()
        if how == "write" and what != "id-token"
    }
    assert writes == {("drift.yml", "drift", "issues"), ("pull-request.yml", "comment", "pull-requests")}
    without_vault = {(file, name) for file, name, job in jobs() if "id-token" not in job["permissions"]}
    pulls = {("pull-request.yml", name) for name in ("test", "e2e", "node", "synth-and-diff", "comment")}
    lists = {(file, "environments") for file in ("drift.yml", "provision-doks.yml")}
    nights = {("integration.yml", name) for name in ("bench", "upstream")}
    assert without_vault == {*pulls, *lists, *nights, ("validate.yml", "validate")}


def test_every_job_ends_and_every_step_has_a_name() -> None:
    assert all("timeout-minutes" in job for _, _, job in jobs() if "uses" not in job)
    assert all("name" in step for step in steps())


def test_no_text_from_outside_is_pasted_into_a_script() -> None:
    assert [step["name"] for step in steps() if "${{" in step.get("run", "")] == []


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_changes_something_runs_alone_and_to_its_end_and_none_that_waits_is_dropped() -> None:
    for file in CHANGING:
        how = WORKFLOWS[file]["concurrency"]
        assert (how["cancel-in-progress"], how["queue"]) == (False, "max")
    assert "${{ inputs.environment }}" in WORKFLOWS["provision-doks.yml"]["concurrency"]["group"]
    alone = {file for file, flow in WORKFLOWS.items() if "concurrency" in flow}
    assert alone == WORKFLOWS.keys() - {"provision-stage.yml"}


def test_no_workflow_names_an_environment_or_its_runners() -> None:
    names = {name for env in load_all(ROOT / "environments") for name in (env.name, env.runner)}
    words = re.compile(rf"\b({'|'.join(name for name in names if not name.startswith(GITHUB_HOSTED))})\b")
    told = {path.name: re.sub(r"#.*|description:.*", "", path.read_text()) for path in FILES}
    assert [name for name, text in told.items() if words.search(text)] == []


def test_what_reaches_an_environment_runs_on_its_runners() -> None:
    own = {"drift.yml": "drift", "provision-stage.yml": "plan apply", "provision-doks.yml": "ready"}
    runners = {(file, name): job["runs-on"] for file, name, job in jobs() if "runs-on" in job}
    elsewhere = {place for place, runner in runners.items() if "runner" in runner}
    assert elsewhere == {(file, name) for file, names in own.items() for name in names.split()}
    assert {runner for place, runner in runners.items() if place not in elsewhere} == {"ubuntu-24.04"}
    calls = [job["with"]["runner"] for _, _, job in jobs() if "uses" in job]
    assert calls == ["${{ fromJSON(needs.environments.outputs.environments)[0].runner }}"] * len(calls)


def test_plans_are_applied_only_where_the_environments_reviewers_agree() -> None:
    stage = WORKFLOWS["provision-stage.yml"]["jobs"]
    assert stage["apply"]["environment"] == "${{ inputs.environment }}"
    assert stage["plan"]["environment"] == "${{ inputs.environment }}-plan"
    calls = [step["run"] for step in stage["apply"]["steps"] if "bin/operations " in step.get("run", "")]
    assert calls == ['bin/operations provision apply "$ENVIRONMENT"']
    others = [job for _, _, job in jobs() if job is not stage["apply"]]
    assert not any("provision apply" in step.get("run", "") for job in others for step in job.get("steps", []))


def test_every_job_that_may_log_in_to_vault_is_in_an_environment_but_where_no_secret_of_one_is() -> None:
    free = {(file, name) for file, name, job in jobs() if "id-token" in job["permissions"] and "uses" not in job}
    free -= {(file, name) for file, name, job in jobs() if "environment" in job}
    assert free == {("promote.yml", "promote"), ("integration.yml", "integration")}


def test_the_check_of_the_gitops_repository_runs_nothing_of_a_change() -> None:
    """Its event reads the workflow of the default branch, its token may write nothing, and it is given a name alone."""
    workflow = WORKFLOWS["validate.yml"]
    assert workflow[True] == {"pull_request_target": None}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read"}
    checkout, validate = job["steps"]
    assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert (validate["uses"], validate["with"]) == (
        OWN_ACTION, {"change": "${{ github.event.pull_request.head.sha }}"}
    )  # fmt: skip
    used = re.findall(r"\$\{\{ *(\S+) *\}\}", RENDERED.read_text())
    assert {name for name in used if "pull_request" in name} == {
        "github.event.pull_request.number", "github.event.pull_request.head.sha"
    }  # fmt: skip


def test_the_gates_are_seen_to_be_enforced_after_they_were_made() -> None:
    names = [step.get("run") for step in WORKFLOWS["bootstrap-gitops-repo.yml"]["jobs"]["bootstrap"]["steps"]]
    assert names[-2:] == ["bin/operations bootstrap settings", "bin/operations bootstrap check --enforced"]


def test_the_token_that_comments_is_not_given_to_the_change() -> None:
    job = WORKFLOWS["pull-request.yml"]["jobs"]["comment"]
    (checkout,) = (step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_the_commands_of_workflows_exist(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


def test_workflows_and_tests_use_the_same_opentofu() -> None:
    tested = re.search(r"github.com/opentofu/opentofu v(\S+)", (ROOT / "tools/tofu/go.mod").read_text())
    used = re.search(r"tofu_version: (\S+)", ACTION.read_text())
    assert tested
    assert used
    assert tested[1] == used[1]

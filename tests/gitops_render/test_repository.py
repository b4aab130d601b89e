"""The files that all environments share."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import yaml

from constructs_lib.environment import load_all
from gitops_render.paths import environment_files
from gitops_render.repository import code_owners, render_repository
from gitops_render.write import edited, write
from tests.support import ROOT, environment

OWNERS = PurePosixPath(".github/CODEOWNERS")


def test_an_environments_reviewers_own_its_folders_and_together_all_else() -> None:
    staging = environment("staging", reviewers={"teams": ["platform"], "users": ["ada"]})
    lines = render_repository([environment(), staging]).owned[OWNERS].decode().splitlines()
    assert lines[1:] == [
        "* @ada @df12-test/platform",
        "/clusters/sandbox/",
        "/platform/*/sandbox/",
        "/apps/sandbox/",
        "/clusters/staging/ @ada @df12-test/platform",
        "/platform/*/staging/ @ada @df12-test/platform",
        "/apps/staging/ @ada @df12-test/platform",
        "/apps/sandbox/episodic/ @df12-test/episodic",
        "/apps/staging/episodic/ @df12-test/episodic",
    ]


def test_the_owners_of_this_repository_are_committed_as_the_files_name_them() -> None:
    environments = load_all(ROOT / "environments")
    committed = (ROOT / ".github/CODEOWNERS").read_bytes()
    assert committed == code_owners(environments, environment_files), "run `make owners`"
    lines = committed.decode().splitlines()
    assert lines[1] == "* @df12-test/operations @df12-test/platform"
    assert "/environments/production.yaml @df12-test/operations @df12-test/platform" in lines


def test_the_check_is_the_action_of_the_infrastructure_repositorys_default_branch() -> None:
    gitops = {"gitops__organisation": "acme", "gitops__infrastructure_repository": "infra"}
    env = environment(**gitops, gitops__default_branch="trunk")
    workflow = render_repository([env]).owned[PurePosixPath(".github/workflows/validate.yml")].decode()
    assert "uses: acme/infra/.github/actions/validate@trunk #" in workflow
    assert "INFRASTRUCTURE" not in workflow
    assert "BRANCH" not in workflow


def test_the_repositorys_own_workflow_is_the_check_that_its_ruleset_requires() -> None:
    environments = load_all(ROOT / "environments")
    workflow = yaml.safe_load(render_repository(environments).owned[PurePosixPath(".github/workflows/validate.yml")])
    names = {job["name"] for job in workflow["jobs"].values()}
    assert names == set(environments[0].gitops.required_checks)


def test_files_that_somebody_edited_are_named(tmp_path: Path) -> None:
    rendered = render_repository([environment()])
    write(tmp_path, "_shared", rendered)
    assert edited(tmp_path, "_shared", rendered) == []
    (tmp_path / OWNERS).write_text("* @somebody\n")
    (tmp_path / ".sourceignore").unlink()
    assert edited(tmp_path, "_shared", rendered) == [OWNERS]


def test_without_reviewers_and_recipients_nobody_owns_and_nothing_is_encrypted() -> None:
    owned = render_repository([environment(gitops__recovery_recipient=f"age1{'p' * 58}")]).owned
    assert PurePosixPath(".sops.yaml") not in owned
    assert not [line for line in owned[OWNERS].decode().splitlines() if line.startswith("*")]


def test_flux_does_not_download_what_it_does_not_apply() -> None:
    lines = render_repository([environment()]).owned[PurePosixPath(".sourceignore")].decode().splitlines()
    assert lines[1:] == ["/.github", "/.render", "/docs", "/tests", ".sops.yaml"]

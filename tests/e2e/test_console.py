"""The pages' commands do what the pages say: those that need no more than this machine are run as they stand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.console import PAGES, Step, offline
from tests.support import ROOT, without_times

pytestmark = pytest.mark.e2e

RUN = {str(page.relative_to(ROOT)): page for page in PAGES if offline(page)}
AFTER = {"docs/how-to/remove-an-environment.md": "docs/how-to/add-an-environment.md"}
"""What has to be done before, in the same clone."""

GITOPS = """\
git init --quiet --bare --initial-branch main ../gitops.git && git clone --quiet ../gitops.git ../gitops &&
bin/gitops_render render --tree ../gitops && git -C ../gitops add --all && git -C ../gitops commit --quiet -m Seed &&
git -C ../gitops push --quiet origin main"""
BEFORE = dict.fromkeys(("docs/how-to/promote.md", "docs/how-to/remove-an-environment.md"), GITOPS)

NOT_SET_UP_AGAIN = "READY= TESTS="
"""Lets `make` take the packages that are there."""


def bash(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    author = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {**os.environ, **author, "MAKEFLAGS": NOT_SET_UP_AGAIN}
    how: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environ, check=False, **how)
    done.stdout = without_times(done.stdout)
    return done


def follow(steps: list[Step], folder: Path) -> None:
    for step in steps:
        done = bash(step.command, folder)
        if step.printed:
            assert step.matches(done.stdout), f"$ {step.command}\n{done.stdout}"
        else:
            assert done.returncode == 0, f"$ {step.command}\n{done.stdout}"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone with what this work tree has, in a folder of its own."""
    folder = tmp_path / "clone"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(".venv"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / ".git-exclude").write_text(".venv\n.git-exclude\n")
    begin = "git init --quiet --initial-branch main && mv .git-exclude .git/info/exclude && git add --all"
    assert bash(f"{begin} && git commit --quiet --message Begin", folder).returncode == 0
    return folder


@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_do_what_it_says(name: str, clone: Path) -> None:
    if name in AFTER:
        follow(offline(RUN[AFTER[name]]), clone)
        assert bash("git add --all && git commit --quiet --message Before", clone).returncode == 0
    if name in BEFORE:
        done = bash(BEFORE[name], clone)
        assert done.returncode == 0, done.stdout
    follow(offline(RUN[name]), clone)

"""What a program is given of this process's environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from constructs_lib.base.programs import passed_on
from constructs_lib.environment.repository import StateBucket
from gitops_render.git import Git
from operations.clients.clone import _environ as clone_environ  # pyright: ignore[reportPrivateUsage]
from operations.clients.tofu import Stack
from operations.review.report import _run as build  # pyright: ignore[reportPrivateUsage]

TOKENS = (
    *("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_RUNTIME_TOKEN", "GITHUB_TOKEN"),
    *("GITHUB_ENV", "VAULT_TOKEN", "DIGITALOCEAN_TOKEN", "AWS_SECRET_ACCESS_KEY", "SPACES_SECRET_ACCESS_KEY"),
    *("SOPS_AGE_KEY", "SOPS_AGE_KEY_CMD", "GH_TOKEN", "PYPI_PASSWORD"),
)
SECRET = "of-this-process-alone"


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process what a job has."""
    for name in TOKENS:
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("TF_LOG", "debug")


def listing(folder: Path, name: str) -> Path:
    """Put a program there that prints its environment."""
    program = folder / name
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import os, json; print(json.dumps(dict(os.environ)))'\n")
    program.chmod(0o755)
    return program


def test_a_program_gets_what_all_need_and_what_is_its_own() -> None:
    given = passed_on("TF_")
    assert (given["HTTPS_PROXY"], given["LC_ALL"], given["TF_LOG"]) == ("http://proxy.example", "C", "debug")
    assert given["PATH"] == os.environ["PATH"]
    assert "TF_LOG" not in passed_on()
    assert not set(TOKENS) & given.keys()


def test_neither_tofu_nor_git_nor_the_base_of_a_pull_request_gets_a_token_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    for name in ("tofu", "git"):
        listing(tmp_path, name)
    stack = tmp_path / "cdktf.out/stacks/x/cdk.tf.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    given = Stack("x", StateBucket(bucket="bucket", region="lon1"), {"TF_VAR_own": "own"})
    (tmp_path / "show.py").write_text("import os, json; print(json.dumps(dict(os.environ)))")
    printed = {
        "tofu": given.describe(Path("plan")),
        "git": Git(tmp_path).run("status").stdout,
        "clone": Git(tmp_path, clone_environ("https://x", "token")).run("status").stdout,
        "base": build(tmp_path, ["show.py"]).stdout,
    }
    assert all("PATH" in text for text in printed.values())
    assert {name for name, text in printed.items() if SECRET in text} == set()
    assert '"TF_VAR_own": "own"' in printed["tofu"]
    assert '"TF_LOG": "debug"' in printed["tofu"]

"""Git as it is started: with which variables, for how long, and what it may not do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import TookTooLongError
from gitops_render.git import Git


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands for Git; the test writes what it does."""
    path = tmp_path / "bin" / "git"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    return path


def test_it_runs_in_its_folder_with_its_variables_and_asks_nobody(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text('#!/bin/sh\nprintf "%s|" "$@" "$KEY" "$LC_ALL" "$GIT_TERMINAL_PROMPT" "$(cat)"\n')
    git = Git(tmp_path, {"PATH": os.environ["PATH"], "KEY": "value", "LC_ALL": "de_DE.UTF-8"})
    assert git.ask("status", "--short") == f"-C|{tmp_path}|status|--short|value|C|0||"


def test_without_variables_of_its_own_it_takes_gits_of_the_process(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.write_text('#!/bin/sh\necho "$GIT_DIR$GITHUB_TOKEN"\n')
    monkeypatch.setenv("GIT_DIR", "outside")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    assert Git(tmp_path).ask("x") == "outside"
    assert Git(tmp_path, {"PATH": os.environ["PATH"]}).ask("x") == ""


def test_what_fails_gives_nothing_and_its_own_words(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text("#!/bin/sh\necho out\nprintf 'fatal: \\377 why' >&2\nexit 128\n")
    assert Git(tmp_path).ask("x") is None
    result = Git(tmp_path).run("x")
    assert (result.returncode, result.stdout, result.stderr) == (128, "out\n", "fatal: \ufffd why")


def test_text_keeps_its_empty_lines_but_the_last(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text("#!/bin/sh\nprintf '\\na\\n\\n'\n")
    assert Git(tmp_path).ask("x") == "\na"


def test_what_does_not_end_is_stopped(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(TookTooLongError, match=r"^git fetch in .*: did not end within 0 s; see what keeps it$"):
        Git(tmp_path).run("fetch", deadline=0.1)


def test_it_has_to_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"^git: is not installed; install it$"):
        Git(tmp_path).ask("status")


def test_what_is_read_is_read_byte_for_byte_and_a_failure_is_told(tmp_path: Path) -> None:
    git = Git(tmp_path)
    git.run("init", "--quiet")
    (tmp_path / "file").write_bytes(b"\xff\r\n\n")
    blob = git.ask("hash-object", "-w", "file")
    assert blob is not None
    assert git.read("cat-file", "blob", blob) == b"\xff\r\n\n"
    with pytest.raises(ConfigError, match="git cat-file: fatal: "):
        git.read("cat-file", "blob", "0" * 40)

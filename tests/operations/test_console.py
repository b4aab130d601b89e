"""What a job's log must not show, and what its summary gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.console import mask, summarise


def test_a_job_is_asked_to_hide_every_line_of_a_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    mask("first line of a key\nsecond line of a key\nadmin\n")
    assert capsys.readouterr().out == "::add-mask::first line of a key\n::add-mask::second line of a key\n"


def test_nobody_else_sees_a_secret(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    mask("first line of a key")
    assert capsys.readouterr().out == ""


def test_a_summary_is_added_to_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    summarise("# Title\n\n")
    assert file.read_text() == "before\n# Title\n\n"

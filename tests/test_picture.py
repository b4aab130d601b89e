"""The picture in the README."""

from __future__ import annotations

from tests.support import ROOT, run_python


def test_the_picture_in_git_is_that_of_the_model() -> None:
    drawn = run_python("docs/picture.py", folder=ROOT)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout == (ROOT / "docs/overview.svg").read_text(), "run make picture"
    for title in ("Overview", "Error budget left", "Firing alerts", "Postgres", "Slots not served"):
        assert title in drawn.stdout

"""The pictures in the README."""

from __future__ import annotations

import pytest

from tests.support import ROOT, run_python

SAID = {
    "overview": ("Overview", "Error budget left", "Firing alerts", "Postgres", "Slots not served"),
    "platform": ("production.yaml", "production-cluster", "cloudnative_pg", "clusters: main", "episodic"),
}


@pytest.mark.parametrize("name", SAID)
def test_the_picture_in_git_is_that_of_the_model(name: str) -> None:
    drawn = run_python("docs/picture.py", name, folder=ROOT)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout == (ROOT / f"docs/{name}.svg").read_text(), "run make picture"
    for title in SAID[name]:
        assert title in drawn.stdout

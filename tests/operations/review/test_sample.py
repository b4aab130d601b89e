"""The sample of a pull request's comment in the README is what the comment would say."""

from __future__ import annotations

from pathlib import Path

from constructs_lib.environment import Environment
from gitops_render.diff import diff
from gitops_render.review import Review
from gitops_render.settings import settings_transitions
from gitops_render.tree import render
from gitops_render.write import changed_files, write
from operations.review.report import MARKER, Comparison
from operations.review.stack_changes import StackChange
from operations.review.verdict import Changes, verdicts
from tests.support import ROOT, environment, environment_data

LONGEST = 25


def sample() -> list[str]:
    """Return the lines that the README quotes, without the mark of a quotation."""
    lines = (ROOT / "README.md").read_text().splitlines()
    start = lines.index("> ## What this change does")
    quoted = lines[start:]
    end = next(number for number, line in enumerate(quoted) if not line.startswith(">"))
    return [line.removeprefix(">").removeprefix(" ") for line in quoted[:end]]


def test_the_readme_shows_what_the_comment_says(tmp_path: Path) -> None:
    (postgres,) = environment_data("production")["platform"]["cloudnative_pg"]["clusters"]
    smaller = {"platform__cloudnative_pg__clusters": [{**postgres, "storage": "20Gi"}]}
    names = ("sandbox", "staging", "production")
    before = [environment(name) for name in names]
    after = [
        environment("sandbox"),
        environment("staging", cluster__kubernetes_minor="1.37"),
        environment("production", **smaller),
    ]
    old, new = (_written(tmp_path / side, envs) for side, envs in (("old", before), ("new", after)))
    objects, stacks = diff(old, new), [StackChange("staging-cluster", "data.x.y", "changed")]
    found = verdicts(Changes(settings_transitions(old, new), stacks, objects, changed_files(old, new)))
    said = Comparison(found, stacks, Review(objects, [])).markdown().removeprefix(f"{MARKER}\n").splitlines()
    shown = sample()
    assert said[: len(shown)] == shown
    assert len(shown) <= LONGEST


def _written(folder: Path, envs: list[Environment]) -> Path:
    for env in envs:
        write(folder, env.name, render(env))
    return folder

"""What a reviewer is told of a change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitops_render.diff import Difference
from gitops_render.helm import Charts
from gitops_render.objects import Identity
from gitops_render.releases import Made
from gitops_render.review import Review, review
from gitops_render.tree import render
from gitops_render.write import write
from tests.support import environment

LIMIT = "platform/traefik/sandbox/configs/middleware-traefik-rate-limit.yaml"
VALKEY = "platform/cache/sandbox/configs/valkey-cache-main.yaml"


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """A tree, the same with a changed object, and a stack that breaks no policy; no charts are named."""
    monkeypatch.delenv("CHARTS", raising=False)
    for name in ("base", "head"):
        write(tmp_path / name, "sandbox", render(environment()))
    path = tmp_path / "head" / LIMIT
    path.write_text(path.read_text().replace("average: 100", "average: 7"))
    stack = tmp_path / "cdktf/stacks/x/cdk.tf.json"
    stack.parent.mkdir(parents=True)
    enforced = {"state": {"enforced": True}, "plan": {"enforced": True}}
    stack.write_text(json.dumps({"terraform": {"encryption": enforced}}))
    return tmp_path / "base", tmp_path / "head", tmp_path / "cdktf"


def test_both_parts_come_from_one_look(sides: tuple[Path, Path, Path]) -> None:
    base, head, stacks = sides
    found = review(base, head, stacks)
    assert [str(item.identity) for item in found.objects] == ["Middleware traefik rate-limit"]
    assert found.findings == []
    lines = list(found.markdown())
    assert (lines[0], lines[-1]) == ("### Rendered objects", "Every policy is kept.")
    assert "| sandbox | 0 | 1 | 0 |" in "\n".join(lines)


def test_without_a_base_the_change_is_checked_alone(sides: tuple[Path, Path, Path]) -> None:
    _, head, stacks = sides
    path = head / VALKEY
    path.write_text(path.read_text().replace("tls: true", "tls: false"))
    (stacks / "stacks/x/cdk.tf.json").write_text("{}")
    found = review(None, head, stacks)
    assert found.objects == []
    assert [item.policy for item in found.findings] == ["TLS001", "TOFU001", "TOFU001"]
    lines = list(found.markdown())
    assert "No rendered object changes." in lines
    assert "| policy | file | object | what | fix |" in lines
    assert [line.split(" | ")[:2] for line in lines[-3:-2]] == [["| TLS001", VALKEY]]


def test_where_no_charts_are_named_a_changed_release_says_that_its_objects_are_not_shown(
    sides: tuple[Path, Path, Path],
) -> None:
    base, head, stacks = sides
    said = "What charts make of that is not shown: CHARTS names none."
    assert said not in list(review(base, head, stacks).markdown())
    for kind in ("HelmRelease", "OCIRepository"):
        path = head / f"platform/{kind}/sandbox/x.yaml"
        path.parent.mkdir(parents=True)
        spec = {"chartRef": {"kind": "OCIRepository", "name": "x"}}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}))
        assert said in list(review(base, head, stacks).markdown())
        path.unlink()


def test_what_charts_make_is_among_the_objects_and_what_is_not_rendered_is_told(
    sides: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, head, stacks = sides
    made = [Difference("sandbox", area, Identity("Service", "", "x", ""), "added") for area in ("release a", "zzz")]
    asked: list[tuple[Path, Path, Charts]] = []

    def differently(*sides: Any) -> Made:
        asked.append(sides)
        return Made(made, {"sandbox": ["why"]})

    charts = Charts("/charts", "helm")
    monkeypatch.setattr("gitops_render.releases.charts_named", lambda: charts)
    monkeypatch.setattr("gitops_render.releases.made_differently", differently)
    found = review(base, head, stacks)
    assert asked == [(base, head, charts)]
    assert [item.area for item in found.objects] == ["release a", "traefik", "zzz"]
    assert (found.unjudged, found.unrendered) == ({"sandbox": ["why"]}, False)
    assert review(None, head, stacks).objects == []


def test_nothing_is_said_of_nothing() -> None:
    assert list(Review([], []).markdown()) == [
        *("### Rendered objects", "", "No rendered object changes.", ""),
        *("### Policies", "", "Every policy is kept."),
    ]

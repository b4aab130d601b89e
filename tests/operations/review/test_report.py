"""What a pull request is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from constructs_lib.base.change import Effect
from constructs_lib.base.errors import ConfigError
from gitops_render.check.model import Finding
from gitops_render.diff import Difference
from gitops_render.objects import Identity
from gitops_render.review import Review
from operations.rehearsal.rehearsal import Rehearsal
from operations.review import report
from operations.review.report import MARKER, UNBUILT, Comparison, compared
from operations.review.verdict import SAFE, Reason, Verdict


def test_nothing_is_said_of_nothing() -> None:
    text = Comparison([], [], Review([], [])).markdown()
    assert text.startswith(MARKER)
    for sentence in ("No stack changes.", "No rendered object changes.", "Every policy is kept."):
        assert sentence in text
    assert UNBUILT not in text


def test_what_applications_get_is_said_in_sentences() -> None:
    text = Comparison([], [], Review([], []), applications=["sandbox: the application <shop> gets a|b."]).markdown()
    assert "### Applications\n\n- sandbox: the application &lt;shop&gt; gets a&#124;b.\n" in text


def test_findings_cannot_break_their_table() -> None:
    finding = Finding("FLUX001", "a|b.yaml", "<b>", "holds `x` | y", "do")
    assert (
        "| FLUX001 | a&#124;b.yaml | &lt;b&gt; | holds `x` &#124; y | do |"
        in Comparison([], [], Review([], [finding])).markdown()
    )


PROGRAMS = {
    "main.py": """
import json, os, pathlib, sys, time
assert os.environ["PYTHONPATH"] == os.getcwd(), os.environ["PYTHONPATH"]
here = pathlib.Path("cdktf.out/stacks/s"); here.mkdir(parents=True)
(here / "cdk.tf.json").write_text(json.dumps({"resource": {"digitalocean_tag": {"t": {"name": SAID}}}}))
pathlib.Path("began").touch()
while not pathlib.Path(OTHER, "began").exists(): time.sleep(0.02)
""",
    "gitops_render/__init__.py": "",
    "gitops_render/__main__.py": """
import pathlib, sys
assert sys.argv[1:] == ["render", "--tree", "gitops.out"], sys.argv
pathlib.Path("gitops.out").mkdir()
""",
}


RENAMED = {"gitops_render__main": "gitops_render/__main__.py"}


def checkout(folder: Path, other: Path, **programs: str) -> Path:
    """Write a checkout whose `main.py` ends once that of the other side has begun."""
    texts = {**PROGRAMS, **{RENAMED.get(name, f"{name}.py"): text for name, text in programs.items()}}
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"OTHER, SAID = {str(other)!r}, {folder.name!r}\n{text}")
    return folder


FINDING = Finding("FLUX001", "a.yaml", "b", "is odd", "mend it")


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folders of base and head, whose objects and policies are not what this is about."""

    def review(*folders: Path | None) -> Review:
        return Review([cast("Difference", folders)] if folders[0] else [], [FINDING])

    def markdown(_: Sequence[Difference]) -> str:
        return ""

    monkeypatch.setattr(report, "review", review)
    monkeypatch.setattr(report, "missing_tools", lambda: ["etcd"])
    monkeypatch.setattr("gitops_render.review.to_markdown", markdown)
    return tmp_path / "base", tmp_path / "head"


def test_both_sides_are_built_at_once_each_with_its_own_code(sides: tuple[Path, Path]) -> None:
    base, head = sides
    checkout(base, head)
    checkout(head, base)
    comparison = compared(base, head)
    (change,) = comparison.stacks
    assert [(field.old, field.new) for field in change.fields] == [("base", "head")]
    trees = (base / "gitops.out", head / "gitops.out", head / "cdktf.out")
    assert comparison.trees == Review([cast("Difference", trees)], [FINDING])
    assert comparison.unbuilt is None
    assert all((side / "gitops.out").is_dir() for side in sides)


def test_a_change_that_cannot_be_built_is_refused_with_the_last_line(sides: tuple[Path, Path]) -> None:
    base, head = sides
    checkout(base, head)
    checkout(head, base, main="import sys, pathlib; pathlib.Path('began').touch(); sys.exit('first\\nlast <line>')")
    with pytest.raises(ConfigError, match=r"^last <line>$"):
        compared(base, head)


def test_a_base_that_cannot_be_built_is_told_and_the_policies_still_are_checked(sides: tuple[Path, Path]) -> None:
    base, head = sides
    checkout(base, head, gitops_render__main="raise SystemExit('old <packages>')")
    checkout(head, base)
    comparison = compared(base, head)
    assert (comparison.stacks, comparison.trees.objects, comparison.unbuilt) == ([], [], "old <packages>")
    text = comparison.markdown()
    assert f"> {UNBUILT}: old &lt;packages&gt;\n" in text
    assert "| FLUX001 | a.yaml |" in text


def test_a_failure_without_a_word_has_its_exit_code(sides: tuple[Path, Path]) -> None:
    base, head = sides
    checkout(base, head)
    checkout(head, base, main="import sys, pathlib; pathlib.Path('began').touch(); sys.exit(7)")
    with pytest.raises(ConfigError, match=r"^exit code 7$"):
        compared(base, head)


CAPACITY = """
if sys.argv[1:] == ["capacity", "--json"]:
    row = {"environment": "sandbox", "pools": [{"name": SAID, "size": "s", "min_nodes": 1, "max_nodes": 2}]}
    room = {"cpu": 1000, "memory": 1024, "volumes": 1}
    print(json.dumps([row | {"asked": room, "at_minimum": room, "at_maximum": room}]))
    sys.exit()
"""


def test_the_capacity_is_told_when_a_change_makes_it_differ(sides: tuple[Path, Path]) -> None:
    base, head = sides
    knows = "import json, sys" + CAPACITY + PROGRAMS["gitops_render/__main__.py"]
    checkout(base, head, gitops_render__main=knows)
    checkout(head, base, gitops_render__main=knows)
    text = compared(base, head).markdown()
    assert "### Capacity\n" in text
    assert "| sandbox | head | 1 to 2 s | 1 of 1 | 1 of 1 | 1 of 1 |" in text
    assert "| sandbox | base |" not in text


VERSIONS = """
if sys.argv[1:] == ["versions", "--format", "json"]:
    print(json.dumps([{"kind": "chart", "name": "oci://<x>", "version": SAID, "digest": None}]))
    sys.exit()
"""


def test_the_versions_are_told_when_a_change_makes_them_differ(sides: tuple[Path, Path]) -> None:
    base, head = sides
    knows = "import json, sys" + VERSIONS + PROGRAMS["gitops_render/__main__.py"]
    checkout(base, head, gitops_render__main=knows)
    checkout(head, base, gitops_render__main=knows)
    assert "### Versions\n" in (text := compared(base, head).markdown())
    assert "| chart | oci://&lt;x&gt; | base | head |" in text


def test_neither_capacity_nor_versions_are_told_where_nothing_differs() -> None:
    text = Comparison([], [], Review([], [])).markdown()
    assert "Capacity" not in text
    assert "Versions" not in text


def test_the_verdict_is_said_first_and_what_is_refused_or_unjudged_is_told() -> None:
    def said(*effects: Effect) -> Comparison:
        return Comparison(
            [Verdict("sandbox", changed=True, reasons=(Reason(item, "why"),)) for item in effects], [], Review([], [])
        )

    assert said(Effect.FREE).markdown().split("\n")[3] == f"- <b>sandbox</b>: <b>{SAFE}</b>"
    assert not said(Effect.FREE, Effect.ROLLS, Effect.REPLACES, Effect.STEPS).is_refused
    assert said(Effect.FREE, Effect.REFUSED).is_refused
    assert not said(Effect.UNKNOWN, Effect.FREE).is_refused
    assert not said(Effect.UNKNOWN, Effect.REFUSED).is_judged
    assert said(Effect.FREE, Effect.REFUSED).is_judged


REHEARSED = Rehearsal("sandbox", ("a",), {}, (), {}, {"pruned": ("Service x",)}, ())


def test_a_rehearsal_is_a_part_of_the_comment_and_so_is_why_there_was_none() -> None:
    def said(rehearsals: Sequence[Rehearsal] | str) -> str:
        return Comparison([], [], Review([], []), rehearsals=rehearsals).markdown()

    assert "### Rehearsal\n\n- <b>sandbox</b>: 1 pruned\n" in said([REHEARSED])
    assert "### Rehearsal\n\nNothing was rehearsed: etcd is not built.\n" in said("etcd is not built")
    assert "Rehearsal" not in said([])


CHANGED = """
import pathlib, sys, json
assert sys.argv[1:] in (["render", "--tree", "gitops.out"], ["capacity", "--json"], ["versions", "--format", "json"])
if sys.argv[1] != "render":
    sys.exit(1)
for name in ("sandbox", "staging", "same", "new"):
    if name != "new" or SAID == "head":
        pathlib.Path(f"gitops.out/clusters/{name}/layers").mkdir(parents=True)
    index = pathlib.Path(f"gitops.out/.render/{name}.json")
    index.parent.mkdir(exist_ok=True)
    index.write_text(json.dumps({"a": ("0" if name == "same" else "1" if SAID == "base" else "2") * 64}))
    settings = pathlib.Path(f"gitops.out/.render/{name}.settings.yaml")
    settings.write_text("name: x")
"""


def test_what_changes_is_rehearsed_where_the_programs_are_and_what_comes_to_no_end_is_not_judged(
    sides: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, head = sides
    checkout(base, head, gitops_render__main=CHANGED)
    checkout(head, base, gitops_render__main=CHANGED)
    asked: list[tuple[str, Path, Path]] = []

    def rehearse(*of: Any) -> Rehearsal:
        asked.append(of)
        if of[0] == "staging":
            raise ConfigError("it hangs")
        return REHEARSED

    def review(*_: Path | None) -> Review:
        objects = [Difference(name, "area", Identity("Service", "", "x", ""), "added") for name in ("new", "staging")]
        return Review([*objects, replace(objects[0], environment="sandbox")], [], {"sandbox": ["no chart"]})

    monkeypatch.setattr(report, "review", review)
    monkeypatch.setattr(report, "rehearse", rehearse)
    monkeypatch.setattr(report, "missing_tools", list)
    found = compared(base, head)
    assert asked == [(name, base / "gitops.out", head / "gitops.out") for name in ("sandbox", "staging")]
    assert found.rehearsals == [REHEARSED]
    unjudged = {verdict.environment: [reason.text for reason in verdict.reasons] for verdict in found.verdicts}
    assert "no chart" in unjudged["sandbox"]
    assert "the rehearsal came to no end: it hangs" in unjudged["staging"]
    assert not found.is_judged


@pytest.mark.parametrize(("changed", "said"), [(True, "etcd, kubectl are not built"), (False, [])])
def test_without_the_programs_it_is_said_that_nothing_was_rehearsed(
    sides: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, changed: bool, said: str | list[Rehearsal]
) -> None:
    base, head = sides
    checkout(base, head)
    checkout(head, base)
    difference = Difference("sandbox", "area", Identity("Service", "", "x", ""), "added")
    found = Review([difference] if changed else [], [])

    def reviewed(*_: object) -> Review:
        return found

    monkeypatch.setattr(report, "review", reviewed)
    monkeypatch.setattr(report, "missing_tools", lambda: ["etcd", "kubectl"])
    assert compared(base, head).rehearsals == said

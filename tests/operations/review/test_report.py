"""What a pull request is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.check.model import Finding
from gitops_render.diff import Difference
from gitops_render.review import Review
from operations.review import report
from operations.review.report import MARKER, UNBUILT, Comparison, compared, stack_changes


def stacks(folder: Path, **resources: dict[str, Any]) -> Path:
    """Write one stack, and return the folder that holds it; `vpc__main={...}` is the resource digitalocean_vpc.main."""
    made: dict[str, dict[str, Any]] = {}
    for key, values in resources.items():
        kind, _, name = key.partition("__")
        made.setdefault(f"digitalocean_{kind}", {})[name] = values
    path = folder / "stacks/sandbox-cluster/cdk.tf.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"resource": made}))
    return folder


def test_each_kind_of_change_is_told_by_its_address(tmp_path: Path) -> None:
    pool = {"size": "s", "tags": ["a"]}
    old = stacks(tmp_path / "old", vpc__main={"region": "lon1", "name": "a"}, tag__gone={"name": "x"}, project__p=pool)
    new = stacks(tmp_path / "new", vpc__main={"region": "ams3", "name": "a"}, tag__new={"name": "y"}, project__p=pool)
    assert [(change.address, change.action) for change in stack_changes(old, new)] == [
        ("digitalocean_tag.gone", "destroyed"),
        ("digitalocean_tag.new", "added"),
        ("digitalocean_vpc.main", "replaced"),
    ]


def test_a_field_that_can_change_in_place_replaces_nothing(tmp_path: Path) -> None:
    old = stacks(tmp_path / "old", kubernetes_cluster__c={"node_pool": {"size": "s", "max_nodes": 3}})
    changed = stacks(tmp_path / "changed", kubernetes_cluster__c={"node_pool": {"size": "s", "max_nodes": 4}})
    replaced = stacks(tmp_path / "replaced", kubernetes_cluster__c={"node_pool": {"size": "m", "max_nodes": 3}})
    assert [change.action for change in stack_changes(old, changed)] == ["changed"]
    assert [change.action for change in stack_changes(old, replaced)] == ["replaced"]


def test_what_holds_the_id_of_something_replaced_is_replaced_too(tmp_path: Path) -> None:
    cluster = {"name": "c", "vpc_uuid": "${digitalocean_vpc.v.id}"}
    pool = {"size": "s", "cluster_id": "${digitalocean_kubernetes_cluster.c.id}"}
    project = {"description": "${digitalocean_vpc.v.id}"}
    rest = {"kubernetes_cluster__c": cluster, "kubernetes_node_pool__p": pool, "project__p": project}
    old = stacks(tmp_path / "old", vpc__v={"ip_range": "10.1.0.0/20"}, **rest)
    new = stacks(tmp_path / "new", vpc__v={"ip_range": "10.2.0.0/20"}, **rest)
    assert [(change.address.partition("_")[2], change.action) for change in stack_changes(old, new)] == [
        ("kubernetes_cluster.c", "replaced"),
        ("kubernetes_node_pool.p", "replaced"),
        ("vpc.v", "replaced"),
    ]


def test_what_only_cdktf_writes_for_itself_is_no_change(tmp_path: Path) -> None:
    old = stacks(tmp_path / "old", tag__t={"name": "x", "//": {"metadata": {"path": "a"}}})
    new = stacks(tmp_path / "new", tag__t={"name": "x", "//": {"metadata": {"path": "b"}}})
    assert stack_changes(old, new) == []


def test_nothing_is_said_of_nothing() -> None:
    text = Comparison([], Review([], [])).markdown()
    assert text.startswith(MARKER)
    for sentence in ("No stack changes.", "No rendered object changes.", "Every policy is kept."):
        assert sentence in text
    assert UNBUILT not in text


def test_findings_cannot_break_their_table() -> None:
    finding = Finding("FLUX001", "a|b.yaml", "<b>", "holds `x` | y", "do")
    assert (
        "| FLUX001 | a&#124;b.yaml | &lt;b&gt; | holds `x` &#124; y | do |"
        in Comparison([], Review([], [finding])).markdown()
    )


def test_each_change_of_a_stack_is_a_line_with_its_fields(tmp_path: Path) -> None:
    old = stacks(tmp_path / "old", vpc__v={"region": "lon1"}, tag__gone={"name": "x"}, project__p={"name": "a"})
    new = stacks(tmp_path / "new", vpc__v={"region": "ams3"}, tag__new={"name": "y"}, project__p={"name": "b|<c>"})
    text = Comparison(stack_changes(old, new), Review([], [])).markdown()
    assert "| stack | added | changed | replaced | destroyed |\n| --- | ---: | ---: | ---: | ---: |" in text
    assert "| sandbox-cluster | 1 | 1 | 1 | 1 |" in text
    assert "<summary><b>sandbox-cluster</b>: 4 resources</summary>" in text
    assert "- changed <code>digitalocean_project.p</code>\n  - <code>name</code>: <code>a</code> → " in text
    assert "<code>b&#124;&lt;c&gt;</code>" in text
    assert "- <b>destroyed</b> <code>digitalocean_tag.gone</code>\n" in text
    assert "- added <code>digitalocean_tag.new</code>\n" in text
    assert "- <b>replaced</b> <code>digitalocean_vpc.v</code>\n" in text


def test_a_chain_of_replaced_things_is_followed_to_its_end(tmp_path: Path) -> None:
    cluster = {"name": "c", "vpc_uuid": "${digitalocean_vpc.v.id}"}
    pool = {"size": "s", "cluster_id": "${digitalocean_kubernetes_cluster.c.id}"}
    rest = {"kubernetes_cluster__c": cluster, "kubernetes_node_pool__p": pool}
    old = stacks(tmp_path / "old", vpc__v={"region": "lon1"}, **rest)
    new = stacks(tmp_path / "new", vpc__v={"region": "ams3"}, **rest)
    later = {change.address: [field.new for field in change.fields] for change in stack_changes(old, new)}
    assert later == {
        "digitalocean_kubernetes_cluster.c": ["(known after apply)"],
        "digitalocean_kubernetes_node_pool.p": ["(known after apply)"],
        "digitalocean_vpc.v": ["ams3"],
    }


def test_a_field_below_one_that_replaces_does_too_and_a_like_name_does_not(tmp_path: Path) -> None:
    def change(**fields: Any) -> list[str]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        before = {key: f"old {value}" for key, value in fields.items()}
        old, new = stacks(folder / "old", vpc__v=before), stacks(folder / "new", vpc__v=fields)
        return [item.action for item in stack_changes(old, new)]

    assert change(ip_range="x") == ["replaced"]
    assert change(ip_range_note="x") == ["changed"]


def test_stacks_that_were_not_synthesised_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no stack; synthesise them first"):
        stack_changes(tmp_path, tmp_path)


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
assert sys.argv[1:] == ["render", "--output", "gitops.out"], sys.argv
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
    text = Comparison([], Review([], [])).markdown()
    assert "Capacity" not in text
    assert "Versions" not in text

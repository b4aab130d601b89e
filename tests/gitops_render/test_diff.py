"""What differs between two rendered trees, and how it is told."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from gitops_render.diff import diff
from gitops_render.diff_output import SHOWN_FIELDS, to_json, to_markdown, to_text
from gitops_render.tree import render
from gitops_render.write import write
from tests.gitops_render.test_cli import cli
from tests.support import environment

LIMIT = "platform/traefik/sandbox/configs/middleware-traefik-rate-limit.yaml"


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal trees of the sandbox."""
    for name in ("old", "new"):
        write(tmp_path / name, "sandbox", render(environment()))
    return tmp_path / "old", tmp_path / "new"


def put(path: Path, **data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"apiVersion": "v1", **data}))


def test_equal_trees(trees: tuple[Path, Path]) -> None:
    assert diff(*trees) == []
    assert (to_text([]), to_markdown([]), to_json([])) == ("no difference", "No rendered object changes.\n", "[]")


def test_a_changed_setting_is_one_field_of_one_object(tmp_path: Path) -> None:
    write(tmp_path / "old", "sandbox", render(environment()))
    write(tmp_path / "new", "sandbox", render(environment(platform__traefik={"replicas": 1, "requests_per_second": 5})))
    found = diff(tmp_path / "old", tmp_path / "new")
    assert to_text(found) == (
        "sandbox / traefik\n"
        "  ~ Middleware traefik rate-limit\n"
        "      spec.rateLimit.average: 100 -> 5\n"
        "      spec.rateLimit.burst: 200 -> 10"
    )


def test_added_and_removed_objects(trees: tuple[Path, Path]) -> None:
    old, new = trees
    (new / LIMIT).unlink()
    put(new / "apps/sandbox/web.yaml", kind="ConfigMap", metadata={"name": "web", "namespace": "episodic"})
    found = {(item.change, str(item.identity), item.area) for item in diff(old, new)}
    assert found == {
        ("removed", "Middleware traefik rate-limit", "traefik"),
        ("added", "ConfigMap episodic web", "apps"),
    }


def test_differences_come_by_environment_area_and_object(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for file in ("apps/b/x.yaml", "platform/cache/a/configs/y.yaml", "apps/a/z.yaml", "apps/a/w.yaml"):
        put(tmp_path / "new" / file, kind="ConfigMap", metadata={"name": file[-6]})
    found = [(item.environment, item.area, item.identity.name) for item in diff(tmp_path / "old", tmp_path / "new")]
    assert found == [("a", "apps", "w"), ("a", "apps", "z"), ("a", "cache", "y"), ("b", "apps", "x")]


def test_a_file_that_only_moved_is_no_difference(trees: tuple[Path, Path]) -> None:
    old, new = trees
    (new / LIMIT).rename(new / LIMIT.replace("rate-limit", "renamed"))
    assert diff(old, new) == []


def test_an_item_of_a_list_is_told_by_its_place_and_a_longer_list_whole(tmp_path: Path) -> None:
    for name, ports in (("old", [{"port": 1}, {"port": 2}]), ("new", [{"port": 1}, {"port": 3}])):
        put(tmp_path / name / "apps/x/a.yaml", kind="Service", metadata={"name": "a"}, spec={"ports": ports})
    (item,) = diff(tmp_path / "old", tmp_path / "new")
    assert [(field.path, field.old, field.new) for field in item.fields] == [("spec.ports[1].port", 2, 3)]


def test_what_the_api_server_never_changes_is_told_and_many_fields_are_counted(tmp_path: Path) -> None:
    many = {f"k{number:02}": number for number in range(SHOWN_FIELDS + 2)}
    for name, role, rest in (("old", "a", {}), ("new", "b", many)):
        put(
            tmp_path / name / "apps/x/a.yaml",
            kind="RoleBinding",
            metadata={"name": "a"},
            roleRef={"name": role},
            **rest,
        )
    (item,) = diff(tmp_path / "old", tmp_path / "new")
    assert item.refused == ("roleRef.name",)
    lines = to_markdown([item]).splitlines()
    assert lines[-4:-2] == ["  - <code>k19</code>: <code>nothing</code> → <code>19</code>", "  - and 3 more fields"]


def test_no_value_of_a_secret_is_shown(tmp_path: Path) -> None:
    for name in ("old", "new"):
        put(tmp_path / name / "apps/x/a.yaml", kind="Secret", metadata={"name": "a"}, data={"key": f"{name}-hunter2"})
        sealed = {"sops": {"mac": f"{name}-hunter2"}, "metadata": {"name": "b"}}
        put(tmp_path / name / "platform/secrets/x/sealed/b.yaml", kind="Secret", **sealed)
    found = diff(tmp_path / "old", tmp_path / "new")
    assert {field.path for item in found for field in item.fields} == {"data.key", "sops.mac"}
    assert "hunter2" not in to_text(found) + to_markdown(found) + to_json(found)


def test_what_is_or_was_encrypted_is_not_shown_whatever_its_kind(tmp_path: Path) -> None:
    plain, sealed = {"data": {"key": "hunter2"}}, {"data": {"key": "ENC[]"}, "sops": {}}
    for name, first, second in (("old", plain, sealed), ("new", sealed, plain)):
        put(tmp_path / name / "apps/x/a.yaml", kind="Other", metadata={"name": "a"}, **first)
        put(tmp_path / name / "apps/x/b.yaml", kind="Other", metadata={"name": "b"}, **second)
    found = diff(tmp_path / "old", tmp_path / "new")
    assert len(found) == 2
    assert "hunter2" not in to_text(found) + to_markdown(found) + to_json(found)


def test_another_layout_of_the_same_object_is_no_difference(tmp_path: Path) -> None:
    for name, text in (("old", "apiVersion: v1\nkind: A"), ("new", "{kind: A, apiVersion: v1}")):
        path = tmp_path / name / "apps/x/a.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert diff(tmp_path / "old", tmp_path / "new") == []


def test_fields_that_come_and_go_and_odd_values(tmp_path: Path) -> None:
    for name, data in (
        ("old", {"k": "text", 1: datetime.date(2026, 1, 1), "m": [1]}),
        ("new", {"l": [1], "m": [1, 2], "x": True}),
    ):
        put(tmp_path / name / "apps/x/a.yaml", kind="ConfigMap", metadata={"name": "a"}, data=data)
    found = diff(tmp_path / "old", tmp_path / "new")
    assert [line.strip() for line in to_text(found).splitlines()[2:]] == [
        'data.1: "2026-01-01" -> nothing',
        "data.k: text -> nothing",
        "data.l: nothing -> [1]",
        "data.m: [1] -> [1, 2]",
        "data.x: nothing -> true",
    ]
    assert json.loads(to_json(found))[0]["fields"][0]["old"] == "2026-01-01"


def test_markdown_has_a_heading_for_each_area(tmp_path: Path) -> None:
    for name, value in (("old", 1), ("new", 2)):
        for file in ("apps/x/a.yaml", "platform/cache/x/configs/a.yaml"):
            put(tmp_path / name / file, kind="ConfigMap", metadata={"name": "a"}, data={"k": value})
    shown = to_markdown(diff(tmp_path / "old", tmp_path / "new"))
    field = "  - <code>data.k</code>: <code>1</code> → <code>2</code>"
    item = "- changed <code>ConfigMap a</code>"
    assert shown.splitlines()[5:] == [
        *("<summary><b>x</b>: 2 objects</summary>", "", "**apps**", "", item, field, ""),
        *("**cache**", "", item, field, "", "</details>"),
    ]


def test_markdown_shows_text_as_it_is(tmp_path: Path) -> None:
    for name, value in (("old", "a"), ("new", "</details>| `x` <b>\n" + "long " * 50)):
        put(tmp_path / name / "apps/x/a.yaml", kind="ConfigMap", metadata={"name": "a"}, data={"k": value})
    shown = to_markdown(diff(tmp_path / "old", tmp_path / "new"))
    assert "| x | 0 | 1 | 0 |" in shown
    assert shown.count("</details>") == 1
    line = next(line for line in shown.splitlines() if "data.k" in line)
    assert "&lt;/details&gt;&#124; `x` &lt;b&gt;" in line
    assert line.endswith("…</code>")


def test_json_for_machines(tmp_path: Path) -> None:
    for name, value in (("old", 1), ("new", 2)):
        put(tmp_path / name / "apps/x/a.yaml", kind="ConfigMap", metadata={"name": "a"}, data={"k": value})
    assert json.loads(to_json(diff(tmp_path / "old", tmp_path / "new"))) == [
        {
            "environment": "x",
            "area": "apps",
            "kind": "ConfigMap",
            "namespace": "",
            "name": "a",
            "change": "changed",
            "fields": [{"path": "data.k", "old": 1, "new": 2}],
        }
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a: [", "cannot be read as YAML"), ("- 1", "holds no Kubernetes object"), ("a: 1", "holds no Kubernetes object")],
)
def test_a_file_that_is_no_object_is_told(trees: tuple[Path, Path], text: str, sentence: str) -> None:
    old, new = trees
    (new / "apps/sandbox/x.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"apps/sandbox/x\.yaml: {sentence}"):
        diff(old, new)


def test_the_command(trees: tuple[Path, Path]) -> None:
    folder = trees[0].parent
    assert cli(folder, "diff", "old", "new")[:2] == (0, "no difference\n")
    path = trees[1] / LIMIT
    path.write_text(path.read_text().replace("average: 100", "average: 7"))
    code, printed, _ = cli(folder, "diff", "old", "new", "--format", "markdown")
    assert (code, "| sandbox | 0 | 1 | 0 |" in printed) == (1, True)
    code, printed, _ = cli(folder, "diff", "old", "new", "--json")
    assert (code, json.loads(printed)[0]["fields"][0]["new"]) == (1, 7)
    code, _, said = cli(folder, "diff", "old", "nowhere")
    assert (code, said) == (2, "nowhere: is not a folder; give two folders that `render` wrote\n")


def test_what_both_trees_have_alike_is_not_parsed_and_what_one_lacks_is(trees: tuple[Path, Path]) -> None:
    old, new = trees
    file = "apps/sandbox/broken.yaml"
    for root in trees:
        (root / file).write_text("{")
    assert diff(old, new) == []
    (new / file).unlink()
    with pytest.raises(ConfigError, match=r"old/apps/sandbox/broken\.yaml: cannot be read as YAML"):
        diff(old, new)
    put(new / file, kind="ConfigMap", metadata={"name": "x"})
    with pytest.raises(ConfigError, match=r"old/apps/sandbox/broken\.yaml: cannot be read as YAML"):
        diff(old, new)

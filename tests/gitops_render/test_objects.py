"""Reading the objects of a tree back from its files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from gitops_render.objects import Identity, Item, read_tree
from gitops_render.paths import Place
from gitops_render.tree import render
from gitops_render.write import write
from tests.support import environment

A = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "x"}}


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def read(root: Path) -> dict[str, list[str]]:
    return {str(item.path): [str(item.identity)] for _, items in read_tree(root) for item in items}


def test_a_rendered_tree_is_read_whole_and_in_order(tmp_path: Path) -> None:
    rendered = render(environment())
    write(tmp_path, "sandbox", rendered)
    items = [item for _, items in read_tree(tmp_path) for item in items]
    files = rendered.owned | rendered.seeds
    assert [item.path for item in items] == sorted(files)
    assert [item.data for item in items] == [yaml.safe_load(files[path]) for path in sorted(files)]


def test_order_is_that_of_paths_and_not_of_their_text(tmp_path: Path) -> None:
    names = ["platform/a/x/p/f.yaml", "platform/a/x/p-q/f.yaml", "platform/a/x/p.yaml", "apps/x/z.yaml"]
    for name in names:
        put(tmp_path, name, yaml.safe_dump({**A, "metadata": {"name": name}}))
    assert list(read(tmp_path)) == [str(path) for path in sorted(map(PurePosixPath, names))]


def test_only_yaml_of_an_environment_is_read(tmp_path: Path) -> None:
    for name in ("README.yaml", "platform/a/x.yaml", "platform/a/x/notes.md", ".render/x.yaml", "docs/a/x/y.yaml"):
        put(tmp_path, name, "a: [")
    put(tmp_path, "apps/x/one.yaml", f"---\n---\n{yaml.safe_dump(A)}")
    ((place, items),) = read_tree(tmp_path)
    assert (place, [item.data for item in items]) == (Place("x", "apps"), [A])


def test_several_objects_of_a_file(tmp_path: Path) -> None:
    put(tmp_path, "apps/x/two.yaml", yaml.safe_dump_all([A, {**A, "kind": "Other"}]))
    ((_, items),) = read_tree(tmp_path)
    assert [item.kind for item in items] == ["Deployment", "Other"]


def test_equal_files_share_what_was_parsed(tmp_path: Path) -> None:
    for name in ("apps/x/a.yaml", "apps/y/a.yaml"):
        put(tmp_path, name, yaml.safe_dump(A))
    first, second = (items[0].data for _, items in read_tree(tmp_path))
    assert first is second


@pytest.mark.parametrize(
    "text",
    [
        "{apiVersion: v1, kind: A, spec: {a: &a {b: [1, 1.5, yes, null, ~, text]}, c: {<<: *a, d: !!str 1}}}",
        "{apiVersion: v1, kind: A, spec: {a: 2026-01-01, b: !!binary aGk=, c: !!set {d, e}, 1: 0x1f}}",
    ],
)
def test_an_object_is_what_yaml_says_it_is(tmp_path: Path, text: str) -> None:
    put(tmp_path, "apps/x/a.yaml", text)
    ((_, (item,)),) = read_tree(tmp_path)
    assert item.data == yaml.safe_load(text)


def test_what_an_anchor_names_is_made_once(tmp_path: Path) -> None:
    lines = ("a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)))
    put(tmp_path, "apps/x/a.yaml", "\n".join(("apiVersion: v1", "kind: A", *lines)))
    ((_, (item,)),) = read_tree(tmp_path)
    assert item.data["a19"][0] is item.data["a18"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "cannot be read as YAML"),
        ("a: 2026-99-99", "cannot be read as YAML"),
        ("{a: 1}: b", "cannot be read as YAML"),
        ("&a [*a]", "holds no Kubernetes object"),
        ("", "holds no Kubernetes object"),
        ("- 1", "holds no Kubernetes object"),
        ("kind: A", "holds no Kubernetes object"),
        ("apiVersion: v1", "holds no Kubernetes object"),
        ("{apiVersion: v1, kind: [A]}", "holds no Kubernetes object"),
        ("{apiVersion: 1, kind: A}", "holds no Kubernetes object"),
        ("{apiVersion: v1, kind: A, metadata: x}", "holds no Kubernetes object"),
        ("{apiVersion: v1, kind: A, metadata: {name: 1}}", "holds no Kubernetes object"),
        ("{apiVersion: v1, kind: A, metadata: {namespace: true}}", "holds no Kubernetes object"),
        ("{apiVersion: v1, kind: A}\n---\na: 1", "holds no Kubernetes object"),
    ],
)
def test_what_is_no_object_is_told_with_its_file(tmp_path: Path, text: str, sentence: str) -> None:
    put(tmp_path, "apps/x/a.yaml", text)
    with pytest.raises(ConfigError) as caught:
        list(read_tree(tmp_path))
    assert str(caught.value) == f"{tmp_path}/apps/x/a.yaml: {sentence}; correct it, or render again"


def test_a_link_out_of_the_tree_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "else", "a.yaml", yaml.safe_dump(A))
    (tmp_path / "tree/apps").mkdir(parents=True)
    (tmp_path / "tree/apps/x").symlink_to(tmp_path / "else")
    assert list(read_tree(tmp_path / "tree")) == []


def test_what_an_object_is_known_by() -> None:
    path = PurePosixPath("platform/a/x/p/f.yaml")
    assert Item(path, A).identity == Identity("Deployment", "x", "a", "apps")
    assert Item(path, {"apiVersion": "v1", "kind": "Node"}).identity == Identity("Node", "", "platform/a/x/p", "")
    assert str(Item(path, A).identity) == "Deployment x a"
    assert Item(path, {**A, "spec": None}).spec == {}

"""The picture of an environment's layers."""

from __future__ import annotations

from pathlib import Path

import yaml

from gitops_render.graph import direct, graph, to_mermaid
from gitops_render.layers import FluxLayer
from gitops_render.paths import Place, layers_folder
from gitops_render.tree import render
from tests.gitops_render.test_cli import cli
from tests.support import ROOT, environment

PICTURE = ROOT / "docs/layers.md"


def layer(area: str, part: str, *after: str) -> FluxLayer:
    return FluxLayer(f"{area}-{part}", area, Place("x", area, part), after)


def test_only_direct_dependencies_are_drawn() -> None:
    shown = graph(environment()).splitlines()
    assert "  secrets-controllers --> secrets-store" in shown
    arrows = [line for line in shown if line.endswith("--> baseline-network-policies")]
    assert arrows == ["  baseline-rbac --> baseline-network-policies"], "namespaces come before rights anyway"
    assert "  baseline-namespaces --> apps" not in shown
    assert not [line for line in shown if line.endswith("--> baseline-namespaces")]


def test_what_another_dependency_implies_at_any_distance_is_left_out() -> None:
    waits = {"a": (), "b": ("a",), "c": ("b",), "d": ("c", "a", "e"), "e": ()}
    assert [direct(waits, name) for name in "abcd"] == [(), ("a",), ("b",), ("c", "e")]


def test_the_flowchart() -> None:
    layers = [
        layer("b", "one", "a-two", "a-one"),
        layer("a", "two", "a-one"),
        layer("a-new-area", "main", "a-two"),
        layer("a", "one"),
    ]
    assert to_mermaid(layers) == (
        "flowchart LR\n"
        "  subgraph area-a\n    a-one\n    a-two\n  end\n"
        "  subgraph area-a-new-area\n    a-new-area-main\n  end\n"
        "  subgraph area-b\n    b-one\n  end\n"
        "  a-one --> a-two\n  a-two --> a-new-area-main\n  a-two --> b-one"
    )


def test_the_picture_shows_what_is_rendered() -> None:
    env = environment("production")
    shown = graph(env).splitlines()
    folder = layers_folder(env.name)
    layers = [
        yaml.safe_load(data)
        for path, data in render(env).owned.items()
        if path.parent == folder and path.name != "kustomization.yaml"
    ]
    assert len(layers) > 20
    assert {f"    {item['metadata']['name']}" for item in layers} == {line for line in shown if line.startswith("    ")}
    waits = {
        item["metadata"]["name"]: [entry["name"] for entry in item["spec"].get("dependsOn", [])] for item in layers
    }
    arrows = {f"  {needed} --> {name}" for name in waits for needed in direct(waits, name)}
    assert arrows == {line for line in shown if " --> " in line}


def test_in_apply_mode_there_is_none() -> None:
    assert graph(environment(mode="apply")) == "flowchart LR"


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    code, printed, _ = cli(tmp_path, "graph", "--environment", "staging")
    assert (code, printed.splitlines()[:3]) == (0, ["## staging", "", "```mermaid"])
    code, _, said = cli(tmp_path, "graph", "--environment", "stagin")
    assert (code, "did you mean 'staging'" in said) == (2, True)


def test_the_picture_in_the_documentation_is_current() -> None:
    code, printed, _ = cli(ROOT, "graph")
    assert (code, PICTURE.read_text(encoding="utf-8")) == (0, printed), "run `make graph`"

"""The picture of an environment's tiers."""

from __future__ import annotations

from pathlib import Path

from gitops_render.graph import graph, to_mermaid
from tests.gitops_render.test_cli import cli
from tests.support import ROOT, environment


def test_only_direct_dependencies_are_drawn() -> None:
    found = graph(environment())
    assert found["secrets-store"] == ("secrets-controllers",)
    assert found["baseline-network-policies"] == ("baseline-rbac",), "namespaces come before rights anyway"
    assert found["baseline-namespaces"] == ()
    assert "baseline-namespaces" not in found["apps"]


def test_the_flowchart() -> None:
    waits = {"a-one": (), "a-two": ("a-one",), "cert-manager-issuers": ("a-two",), "b-one": ("a-one", "a-two")}
    assert to_mermaid(waits) == (
        "flowchart LR\n"
        "  subgraph area-a\n    a-one\n    a-two\n  end\n"
        "  subgraph area-cert-manager\n    cert-manager-issuers\n  end\n"
        "  subgraph area-b\n    b-one\n  end\n"
        "  a-one --> a-two\n  a-two --> cert-manager-issuers\n  a-one --> b-one\n  a-two --> b-one"
    )


def test_every_tier_is_in_the_picture() -> None:
    env = environment("production")
    shown = to_mermaid(graph(env))
    assert all(f"    {layer.id}\n" in shown for layer in env.layers)


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(ROOT / "environments")
    code, printed, _ = cli(tmp_path, "graph", "--environment", "staging")
    assert (code, printed.splitlines()[:3]) == (0, ["## staging", "", "```mermaid"])
    code, _, said = cli(tmp_path, "graph", "--environment", "stagin")
    assert (code, "did you mean 'staging'" in said) == (2, True)

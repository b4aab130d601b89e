"""What is installed of charts in a rehearsal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import KEEP_IN_HELM, Manifest
from gitops_render.helm import Asked
from gitops_render.immutable import HOOK
from gitops_render.releases import Release
from operations.rehearsal import installed
from operations.rehearsal.flux import secret_of
from operations.rehearsal.installed import Made, install, placed, read_releases, there, uninstall

OLD, NEW = Path("old"), Path("new")


def release(name: str, version: str = "1", *, stays: bool = False) -> Release:
    return Release(Asked(name, f"{name}-system", name, version, "{}", None), stays)


def item(kind: str, name: str = "x", namespace: str = "", **annotations: str) -> Manifest:
    metadata = {"name": name, "annotations": annotations, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1" if kind == "Secret" else "apps/v1", "kind": kind, "metadata": metadata}


class Server:
    """Stands for an API server that says `said` of what is applied."""

    def __init__(self, said: str = "") -> None:
        self.said, self.applied, self.asked = said, list[Manifest](), list[tuple[str, ...]]()

    def apply(self, *items: Manifest, code: int | None) -> str:
        assert code is None
        self.applied += items
        return self.said

    def kubectl(self, *arguments: str, code: int | None) -> str:
        assert code is None
        self.asked.append(arguments)
        return ""


def made(*items: Manifest, stays: bool = False) -> Made:
    return Made("x-system", items, stays)


@pytest.fixture
def trees(monkeypatch: pytest.MonkeyPatch) -> dict[Path, dict[str, dict[str, Release]]]:
    """The releases of two trees; charts make a Deployment and a hook, but for one that is not there."""
    held: dict[Path, dict[str, dict[str, Release]]] = {OLD: {"sandbox": {}}, NEW: {}}

    class Charts:
        def made(self, asked: Asked) -> list[Manifest]:
            if asked.version == "9":
                raise ConfigError("only 1 is there")
            hook = item("Job", **{HOOK: "pre-install"})
            return [item("Deployment", f"{asked.name}-{asked.version}"), hook]

    monkeypatch.setattr(installed, "releases", held.__getitem__)
    monkeypatch.setattr(installed, "charts_named", Charts)
    return held


def named(side: Any) -> dict[str, list[str]]:
    return {name: [one["metadata"]["name"] for one in held.items] for name, held in side.items()}


def test_a_release_that_is_the_same_on_both_sides_is_rendered_once(trees: Any) -> None:
    trees[OLD]["sandbox"] = {"a": release("a"), "b": release("b"), "gone": release("gone", stays=True)}
    trees[NEW]["sandbox"] = {"a": release("a"), "b": release("b", "2"), "new": release("new")}
    found = read_releases("sandbox", OLD, NEW)
    assert named(found.old) == {"a": ["a-1"], "b": ["b-1"], "gone": ["gone-1"]}
    assert named(found.new) == {"a": ["a-1"], "b": ["b-2"], "new": ["new-1"]}
    assert found.old["a"] is found.new["a"]
    assert (found.old["gone"].stays, found.old["a"].stays, found.old["a"].namespace) == (True, False, "a-system")


def test_a_release_that_cannot_be_rendered_on_one_side_is_on_neither(trees: Any) -> None:
    trees[OLD]["sandbox"] = {"a": release("a"), "odd": Release(None, stays=False)}
    trees[NEW]["sandbox"] = {"a": release("a", "9")}
    assert read_releases("sandbox", OLD, NEW) == ({}, {}, ("a", "odd"))


def test_without_charts_nothing_is_installed(trees: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trees[OLD]["sandbox"] = trees[NEW]["sandbox"] = {"a": release("a")}
    monkeypatch.setattr(installed, "charts_named", lambda: None)
    assert read_releases("sandbox", OLD, NEW) == ({}, {}, ())


def test_what_has_no_namespace_gets_that_of_its_release() -> None:
    own, other, wide = item("Secret"), item("Secret", namespace="other"), item("ClusterRole")
    placed({"a": made(own, other, wide)}, lambda one: one["kind"] == "Secret")
    assert [one["metadata"].get("namespace") for one in (own, other, wide)] == ["x-system", "other", None]


def test_what_is_refused_is_told_by_release() -> None:
    server: Any = Server("deployment.apps/x serverside-applied\nWarning: old\nThe Deployment is invalid:\n* a\n")
    hook = item("ValidatingWebhookConfiguration")
    assert install(server, {"a": made(item("Deployment"), hook)}) == {"a": "The Deployment is invalid: * a"}
    assert [one["kind"] for one in server.applied] == ["Deployment"]
    server.said = "deployment.apps/x serverside-applied\n"
    assert install(server, {"a": made(item("Deployment")), "b": made(hook)}) == {}


def test_what_a_release_makes_no_more_goes_unless_it_is_kept() -> None:
    server: Any = Server()
    both, kept = item("Secret", "both"), item("Secret", "kept", **KEEP_IN_HELM)
    old = {
        "a": made(both, item("Secret", "gone", "n"), kept),
        "b": made(item("Deployment", "b")),
        "c": made(item("Secret", "c"), stays=True),
    }
    uninstall(server, old, {"a": made(both)})
    assert [(*one[:3], "n" in one) for one in server.asked] == [
        ("delete", "Secret", "gone", True),
        ("delete", "Deployment.apps", "b", False),
    ]
    uninstall(server, {"c": made(item("Secret", "c"), stays=True)}, {"c": made(stays=True)})
    assert server.asked[-1][:3] == ("delete", "Secret", "c")


def test_releases_wait_for_their_namespace() -> None:
    one = made(item("Secret"))
    assert there({"a": one, "b": one._replace(namespace="new")}, {"x-system"}) == (
        {"a": one},
        {"b": one._replace(namespace="new")},
    )


def test_the_secret_that_an_external_secret_makes_has_its_labels() -> None:
    external: Manifest = {"metadata": {"name": "a", "namespace": "n"}, "spec": {}}
    assert secret_of(external)["metadata"] == {"name": "a", "namespace": "n"}
    external["spec"] = {"target": {"name": "b", "template": {"metadata": {"labels": {"x": "y"}}, "data": {"p": "q"}}}}
    assert secret_of(external) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "b", "namespace": "n", "labels": {"x": "y"}},
    }

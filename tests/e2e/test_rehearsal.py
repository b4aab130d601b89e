"""A change is rehearsed on a real API server, by the real kustomize-controller."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.kit import FORCE, KEEP_IN_FLUX, Manifest
from gitops_render.tree import listing, render
from gitops_render.write import write
from operations.rehearsal.flux import CONTROLLER
from operations.rehearsal.rehearsal import rehearse
from tests.e2e.cluster import CRDS, TOOLS
from tests.e2e.conftest import require
from tests.support import environment

FLUX = "kustomize.toolkit.fluxcd.io/v1"
DEPLOYMENT_LABELS = {"app": "web"}


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip where the programs are not built, and name the CRDs where they are at hand."""
    require(*TOOLS, CONTROLLER)
    if CRDS.is_dir():
        monkeypatch.setenv("CRDS", str(CRDS))


def item(kind: str, name: str, *, api_version: str = "v1", namespace: str = "web", **body: Any) -> Manifest:
    metadata = {"name": name, "namespace": namespace, **body.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def put(folder: Path, items: Sequence[Manifest]) -> None:
    folder.mkdir(parents=True)
    for position, one in enumerate(items):
        (folder / f"{position}.yaml").write_text(yaml.safe_dump(one))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(listing([f"{n}.yaml" for n in range(len(items))])))


def kustomization(name: str, path: str, *after: str, source: str = "platform") -> Manifest:
    spec = {
        "interval": "1h",
        "prune": True,
        "wait": True,
        "path": f"./{path}",
        "serviceAccountName": "kustomize-controller",
        "sourceRef": {"kind": "GitRepository", "name": source},
        "dependsOn": [{"name": needed} for needed in after],
    }
    return item("Kustomization", name, api_version=FLUX, namespace="flux-system", spec=spec)


def tree(folder: Path, **layers: Sequence[Manifest]) -> Path:
    """Write a tree of layers that wait for each other in this order."""
    source = {"interval": "1m", "url": "https://git.example.org/x", "ref": {"branch": "main"}}
    platform = item(
        "GitRepository", "platform", api_version="source.toolkit.fluxcd.io/v1", namespace="flux-system", spec=source
    )
    put(folder / "clusters/sandbox", [platform, kustomization("layers", "clusters/sandbox/layers")])
    names = list(layers)
    applied = [
        kustomization(name, f"platform/{name}/sandbox/configs", *names[max(position - 1, 0) : position])
        for position, name in enumerate(names)
    ]
    put(folder / "clusters/sandbox/layers", applied)
    for name, items in layers.items():
        put(folder / f"platform/{name}/sandbox/configs", items)
    return folder


def config(name: str, value: str, **annotations: str) -> Manifest:
    return item("ConfigMap", name, immutable=True, data={"a": value}, metadata={"annotations": annotations})


def deployment(image: str, replicas: int = 1) -> Manifest:
    pods = {"metadata": {"labels": DEPLOYMENT_LABELS}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": DEPLOYMENT_LABELS}, "template": pods}
    return item("Deployment", "web", api_version="apps/v1", spec=spec)


NAMESPACE: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
KEPT = item("Widget", "kept", api_version="example.org/v1", metadata={"annotations": dict(KEEP_IN_FLUX)})


def test_what_a_change_does_is_seen_before_it_is_made(tmp_path: Path) -> None:
    same, moved = item("ConfigMap", "same"), item("ConfigMap", "moved", data={"a": "b"})
    old = tree(
        tmp_path / "old",
        first=[NAMESPACE, same, moved, item("Service", "gone", spec={"ports": [{"port": 80}]}), KEPT],
        second=[config("forced", "a", **{FORCE: "enabled"}), deployment("web:1")],
        third=[config("fixed", "a")],
        fourth=[item("ConfigMap", "late")],
    )
    new = tree(
        tmp_path / "new",
        first=[NAMESPACE, same, moved | {"data": {"a": "c"}}, item("ConfigMap", "fresh")],
        second=[config("forced", "b", **{FORCE: "enabled"}), deployment("web:2")],
        third=[config("fixed", "b")],
        fourth=[item("ConfigMap", "later")],
    )
    found = rehearse("sandbox", old, new)
    assert found.before == {}
    assert list(found.refused) == ["layer third"]
    assert "immutable" in found.refused["layer third"]
    assert found.waiting == ("fourth",)
    assert [name for name in found.order if name != "layers"] == ["first", "second"]
    assert found.fates == {
        "made": ("ConfigMap web fresh",),
        "changed": ("ConfigMap web moved",),
        "restarted": ("Deployment web web",),
        "replaced": ("ConfigMap web forced",),
        "pruned": ("Service web gone",),
        "orphaned": ("Widget web kept",),
    }
    assert "Widget" in found.unchecked


def test_the_sandbox_is_rehearsed_with_its_own_policies(tmp_path: Path) -> None:
    small = {"platform__observability": {"enabled": False}}
    data = [{"name": "main", "shards": 3, "replicas": 1}]
    sides = [
        environment(**small, platform__valkey_operator={"clusters": data}),
        environment(
            **small,
            platform__valkey_operator={"clusters": [{**data[0], "shards": 4}]},
            platform__traefik={"replicas": 3},
        ),
    ]
    for name, env in zip(("old", "new"), sides, strict=True):
        write(tmp_path / name, "sandbox", render(env))
    found = rehearse("sandbox", tmp_path / "old", tmp_path / "new")
    assert found.before == {}
    assert list(found.refused) == ["layer cache-configs"]
    assert "moves no keys" in found.refused["layer cache-configs"]
    assert "HelmRelease flux-system traefik" in found.fates["changed"]

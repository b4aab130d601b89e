"""What data loses although it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.kit import KEEP_IN_FLUX, Manifest
from gitops_render.check import read_trees
from gitops_render.diff import diff
from gitops_render.losses import losses

GUARDS = {
    "NetworkPolicy": "networking.k8s.io/v1",
    "CiliumNetworkPolicy": "cilium.io/v2",
    "ExternalSecret": "external-secrets.io/v1",
    "Certificate": "cert-manager.io/v1",
    "ScheduledBackup": "postgresql.cnpg.io/v1",
}


def item(api_version: str, kind: str, name: str, namespace: str = "databases") -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def data(name: str = "main", namespace: str = "databases") -> Manifest:
    found = item("postgresql.cnpg.io/v1", "Cluster", name, namespace)
    return {**found, "metadata": {**found["metadata"], "annotations": KEEP_IN_FLUX}}


def tree(folder: Path, *items: Manifest, environment: str = "sandbox") -> Path:
    import yaml

    place = folder / f"platform/databases/{environment}/configs"
    place.mkdir(parents=True, exist_ok=True)
    (folder / f"clusters/{environment}").mkdir(parents=True, exist_ok=True)
    for one in items:
        name = f"{one['kind']}-{one['metadata']['namespace']}-{one['metadata']['name']}.yaml"
        (place / name).write_text(yaml.safe_dump(one))
    return folder


def found(tmp_path: Path, before: list[Manifest], after: list[Manifest]) -> list[tuple[str, str]]:
    rest = item("v1", "Namespace", "rest", "rest")
    old, new = tree(tmp_path / "old", rest, *before), tree(tmp_path / "new", rest, *after)
    return [(item.object, item.message) for item in losses(read_trees(new), diff(old, new))]


@pytest.mark.parametrize(("kind", "api_version"), GUARDS.items())
def test_data_that_is_kept_without_a_guard_is_found(tmp_path: Path, kind: str, api_version: str) -> None:
    guard, elsewhere = item(api_version, kind, "g"), item(api_version, kind, "g", "cache")
    ((subject, message),) = found(tmp_path, [data(), guard, elsewhere], [])
    assert subject == "Cluster databases main"
    assert message.startswith(f"stays, and {kind} databases g, its ")


def test_alerts_guard_data_in_every_namespace(tmp_path: Path) -> None:
    rule = item("monitoring.coreos.com/v1", "PrometheusRule", "postgres", "observability")
    assert found(tmp_path, [data(), rule], []) == [
        ("Cluster databases main", "stays, and PrometheusRule observability postgres, its alerts, goes")
    ]
    assert found(tmp_path / "b", [data(), rule], [data()]) == []


def test_data_that_is_described_still_needs_one_guard_of_each_kind(tmp_path: Path) -> None:
    one, two = (item("networking.k8s.io/v1", "NetworkPolicy", name) for name in ("one", "two"))
    assert found(tmp_path / "a", [data(), one, two], [data(), two]) == []
    assert found(tmp_path / "b", [data(), one, two], [data()]) == [
        ("Cluster databases main", "stays, and NetworkPolicy databases one, its wall, goes"),
        ("Cluster databases main", "stays, and NetworkPolicy databases two, its wall, goes"),
    ]


def test_data_that_goes_with_its_guards_loses_nothing_else(tmp_path: Path) -> None:
    gone = item("postgresql.cnpg.io/v1", "Cluster", "main")
    guard = item("networking.k8s.io/v1", "NetworkPolicy", "one")
    other = data(namespace="cache")
    assert found(tmp_path, [gone, guard, other], [other]) == []


def test_an_environment_that_goes_as_a_whole_is_told_elsewhere(tmp_path: Path) -> None:
    guard = item("networking.k8s.io/v1", "NetworkPolicy", "one")
    old, new = tree(tmp_path / "old", data(), guard), tree(tmp_path / "new", guard, environment="staging")
    assert list(losses(read_trees(new), diff(old, new))) == []


def test_what_cannot_be_retired_is_not_held_up(tmp_path: Path) -> None:
    logs = item("opensearch.org/v1", "OpenSearchCluster", "logs")
    guard = item("networking.k8s.io/v1", "NetworkPolicy", "one")
    assert found(tmp_path, [logs, guard], [logs]) == []


def test_what_holds_no_data_needs_no_guard(tmp_path: Path) -> None:
    pool = item("postgresql.cnpg.io/v1", "Pooler", "main")
    guard = item("networking.k8s.io/v1", "NetworkPolicy", "one")
    assert found(tmp_path, [pool, guard], [pool]) == []

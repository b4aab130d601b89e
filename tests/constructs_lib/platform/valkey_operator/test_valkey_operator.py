"""Valkey: the operator, and clusters with TLS and a password."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment
from tests.support import environment


def objects(env: Environment) -> dict[tuple[str, str], dict[str, Any]]:
    found = [item for layer in env.layers if layer.id.area == "cache" for item in layer.manifests]
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


def valkey(**settings: Any) -> dict[str, Any]:
    clusters = [{"name": "sessions", **settings}]
    return objects(environment(platform__valkey_operator={"clusters": clusters}))["Valkey", "sessions"]["spec"]


def test_shards_replicas_and_size_are_where_the_kind_has_them() -> None:
    spec = valkey(shards=3, replicas=1, storage="5Gi")
    assert (spec["nodes"], spec["replicas"]) == (3, 1)
    volume = spec["storage"]["spec"]
    assert volume["resources"] == {"requests": {"storage": "5Gi"}}
    assert volume["storageClassName"] == "do-block-storage-retain"


def test_tls_and_password_are_always_on() -> None:
    spec = valkey()
    assert (spec["tls"], spec["certIssuer"], spec["certIssuerType"]) == (True, "internal-ca", "ClusterIssuer")
    assert (spec["anonymousAuth"], spec["servicePassword"]) == (False, {"name": "sessions-password", "key": "password"})


def test_the_operator_makes_the_budget_itself() -> None:
    assert not [kind for kind, _ in objects(environment("production")) if kind == "PodDisruptionBudget"]


def test_the_operator_is_never_two() -> None:
    (release,) = [item for layer in environment().layers for item in layer.releases if item.name == "valkey-operator"]
    assert release.values["controllerManager"]["replicas"] == 1, "it elects no leader"
    assert (release.chart.repository, release.chart.version) == ("oci://ghcr.io/hyperspike", "v0.0.61-chart")


def test_a_cluster_is_never_pruned() -> None:
    item = objects(environment())["Valkey", "main"]
    assert item["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [({"shards": 0}, "shards"), ({"storage": "much"}, "must be a size"), ({"replica": 1}, "replica")],
)
def test_bad_settings_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        valkey(**settings)


def test_two_clusters_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two entries have the name 'a'"):
        environment(platform__valkey_operator={"clusters": [{"name": "a"}, {"name": "a"}]})

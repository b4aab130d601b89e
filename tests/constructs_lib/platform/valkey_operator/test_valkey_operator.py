"""Valkey: the operator, and clusters with TLS and a password."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

import pytest

from constructs_lib.environment import Environment
from tests.constructs_lib.platform import said
from tests.support import environment, everything


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


def test_clients_are_told_names_that_are_in_the_certificate_not_addresses() -> None:
    assert valkey()["clusterPreferredEndpointType"] == "hostname"
    found = objects(environment())
    policy = found["MutatingAdmissionPolicy", "valkey-main"]["spec"]
    added = appended(policy)
    assert added[:2] == ["--cluster-announce-hostname", "$(POD_NAME).main-headless.cache.svc"]
    chosen = policy["matchConstraints"]
    assert chosen["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "cache"}}
    assert chosen["objectSelector"] == {
        "matchLabels": {"app.kubernetes.io/component": "valkey", "app.kubernetes.io/instance": "main"}
    }
    assert chosen["resourceRules"][0]["operations"] == ["CREATE"]
    assert policy["failurePolicy"] == "Fail", "a node without its name would tell its address"
    assert found["MutatingAdmissionPolicyBinding", "valkey-main"]["spec"] == {"policyName": "valkey-main"}


@pytest.mark.parametrize(
    ("settings", "bytes_", "policy"),
    [
        ({}, "161061273", "noeviction"),
        ({"memory": "1Gi", "maxmemory_policy": "allkeys-lru"}, "644245094", "allkeys-lru"),
    ],
)
def test_a_node_is_full_before_its_container_is(settings: dict[str, str], bytes_: str, policy: str) -> None:
    env = environment(platform__valkey_operator={"clusters": [{"name": "sessions", **settings}]})
    added = appended(objects(env)["MutatingAdmissionPolicy", "valkey-sessions"]["spec"])
    assert added[2:] == ["--maxmemory", bytes_, "--maxmemory-policy", policy]


@pytest.mark.parametrize(("policy", "told"), [("noeviction", True), ("volatile-ttl", False)])
def test_a_full_node_is_told_of_where_it_refuses_writes(policy: str, told: bool) -> None:
    env = environment(platform__valkey_operator={"clusters": [{"name": "a", "maxmemory_policy": policy}]})
    alerts = {alert.name for alert in env.platform.valkey_operator.health(env).alerts}
    assert ("ValkeyFull" in alerts) == told


def test_what_the_operator_cannot_change_is_refused() -> None:
    found = objects(environment())
    (rule,) = found["ValidatingAdmissionPolicy", "valkey-fixed"]["spec"]["validations"]
    assert "object.spec.nodes == oldObject.spec.nodes" in rule["expression"]
    assert "object.spec.replicas == oldObject.spec.replicas" in rule["expression"]
    assert found["ValidatingAdmissionPolicyBinding", "valkey-fixed"]["spec"]["validationActions"] == ["Deny"]


def appended(policy: dict[str, Any]) -> list[str]:
    """Return the arguments that a policy adds to the command."""
    (mutation,) = policy["mutations"]
    path = r"JSONPatch\{op: 'add', path: '/spec/containers/0/command/-', value: '([^']*)'\}"
    return re.findall(path, mutation["jsonPatch"]["expression"])


def test_the_names_are_there_before_the_first_pod() -> None:
    found = {str(layer.id): layer for layer in environment().layers}
    assert "MutatingAdmissionPolicy" in {item["kind"] for item in found["cache-controllers"].manifests}
    assert found["cache-controllers"].id in found["cache-configs"].after
    assert not objects(environment(platform__valkey_operator={})), "without clusters it is for nobody"


@pytest.mark.parametrize(("minor", "accepted"), [("1.35", False), ("1.36", True)])
def test_a_cluster_needs_an_api_server_that_knows_such_policies(minor: str, accepted: bool) -> None:
    sentence = "platform.valkey_operator.clusters needs cluster.kubernetes_minor '1.36' or later, found '1.35'"
    with nullcontext() if accepted else pytest.raises(ValueError, match=sentence):
        environment(cluster__kubernetes_minor=minor)
    for valkey_operator in ({}, {"enabled": False, "clusters": [{"name": "a"}]}):
        environment(cluster__kubernetes_minor=minor, platform__valkey_operator=valkey_operator)


def test_a_cluster_is_ready_when_its_operator_reached_it() -> None:
    (layer,) = (layer for layer in environment().layers if str(layer.id) == "cache-configs")
    assert [(ready.kind, ready.current) for ready in layer.ready] == [("Valkey", "has(status.ready) && status.ready")]


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


def test_links() -> None:
    assert said.links("valkey_operator", everything()) == [
        "valkey-operator-system/operator -> the API server: 443 6443 16443",
        "cache/valkey -> the API server: 443 6443 16443",
        "valkey-operator-system/operator -> cache/valkey: 6379",
        "cache/valkey -> cache/valkey: 6379 16379",
        "observability/prometheus -> cache/valkey: 9121",
        "cache/copy-main -> cache/valkey-main: 6379",
        "cache/copy-main -> the internet: 443",
        "cache-drills/main -> the internet: 443",
        "episodic/apps -> cache/valkey-main: 6379",
    ]


def test_settings() -> None:
    assert said.settings("valkey_operator") == {
        "ValkeyOperator.enabled": "True",
        "ValkeyOperator.clusters": "()",
        "ValkeyCluster.name": "required",
        "ValkeyCluster.retired": "None",
        "ValkeyCluster.shards": "1 Ge(ge=1) Le(le=100)",
        "ValkeyCluster.replicas": "0 Ge(ge=0) Le(le=5)",
        "ValkeyCluster.storage": "'2Gi'",
        "ValkeyCluster.cpu": "'100m'",
        "ValkeyCluster.memory": "'256Mi'",
        "ValkeyCluster.maxmemory_policy": "'noeviction'",
        "ValkeyCluster.recovery": "SnapshotsRecovery(rto='60m', drill=None, rpo='24h', check='PING')",
        "ValkeyCluster.recover_from": "None",
        "SnapshotsRecovery.rpo": "'24h'",
        "SnapshotsRecovery.rto": "'60m'",
        "SnapshotsRecovery.drill": "None",
        "SnapshotsRecovery.check": "'PING' MinLen(min_length=1)",
        "Origin.archive": "required",
        "Origin.until": "None",
    }


def test_values() -> None:
    assert said.releases("valkey_operator", everything()) == {
        "valkey-operator": ("valkey-operator-system", "v0.0.61-chart", True)
    }
    assert said.values("valkey_operator", everything()) == {
        "valkey-operator": {
            "controllerManager.replicas": 1,
            "controllerManager.manager.resources.requests.cpu": "10m",
            "controllerManager.manager.resources.requests.memory": "64Mi",
            "controllerManager.manager.resources.limits.memory": "256Mi",
            "controllerManager.manager.resources.limits.cpu": None,
            "controllerManager.manager.containerSecurityContext.readOnlyRootFilesystem": True,
            "controllerManager.manager.containerSecurityContext.seccompProfile.type": "RuntimeDefault",
        }
    }


def test_operators() -> None:
    assert said.operators("valkey_operator") == {
        "valkey-operator": ("brings hyperspike.io", "Valkey holds data", "budgets by app.kubernetes.io/instance")
    }


def test_prometheus_finds_a_cluster_whose_volumes_are_its_own() -> None:
    spec = valkey()
    assert (spec["prometheus"], spec["serviceMonitor"]) == (True, True)
    assert spec["storage"]["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_there_is_a_pod_for_each_primary_and_each_of_its_replicas() -> None:
    env = environment(platform__valkey_operator={"clusters": [{"name": "main", "shards": 3, "replicas": 2}]})
    (nodes,) = (item for item in env.platform.workloads(env) if str(item) == "cache/StatefulSet/main")
    assert nodes.pods == 9

"""External Secrets: how it logs in to Vault, who may use its stores, and what brings the age key."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from constructs_lib.environment import Environment
from constructs_lib.platform.vault_eso import STORE
from tests.constructs_lib.platform import said
from tests.support import environment, everything

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def objects(env: Environment) -> dict[tuple[str, str], dict[str, Any]]:
    (layer,) = [layer for layer in env.layers if layer.id == STORE]
    return {(item["kind"], item["metadata"]["name"]): item for item in layer.manifests}


def vault(env: Environment, store: str = "vault") -> dict[str, Any]:
    return objects(env)["ClusterSecretStore", store]["spec"]["provider"]["vault"]


def test_jwt_shows_a_short_token_with_its_audience() -> None:
    assert vault(environment())["auth"] == {
        "jwt": {
            "path": "jwt-sandbox",
            "role": "external-secrets",
            "kubernetesServiceAccountToken": {
                "serviceAccountRef": {"name": "vault", "namespace": "external-secrets", "audiences": ["vault"]},
                "expirationSeconds": 600,
            },
        }
    }


def test_kubernetes_may_have_its_token_reviewed() -> None:
    auth = {"method": "kubernetes", "mount": "k8s", "role": "eso", "audiences": ["a", "b"]}
    env = environment(vault__auth=auth)
    found = vault(env)["auth"]["kubernetes"]
    assert (found["mountPath"], found["role"]) == ("k8s", "eso")
    assert found["serviceAccountRef"]["audiences"] == ["a", "b"]
    review = objects(env)["ClusterRoleBinding", "vault-token-review"]
    assert review["roleRef"]["name"] == "system:auth-delegator"
    assert [f"{subject['namespace']}/{subject['name']}" for subject in review["subjects"]] == [
        "external-secrets/vault",
        "external-secrets/vault-flux",
        "episodic/vault",
    ]
    assert vault(env, "vault-flux")["auth"]["kubernetes"]["role"] == "eso-flux"


def test_approle_reads_its_secret_id_from_the_secret_of_the_flux_stack() -> None:
    env = environment(vault__auth={"method": "approle", "mount": "approle", "role_id": "an-id"})
    assert vault(env)["auth"]["appRole"] == {
        "path": "approle",
        "roleId": "an-id",
        "secretRef": {"name": "vault-approle", "namespace": "flux-system", "key": "secret-id"},
    }
    assert ("ServiceAccount", "vault") not in objects(env)


def test_each_store_logs_in_as_an_account_of_its_own() -> None:
    logins = [vault(environment(), store)["auth"]["jwt"] for store in ("vault", "vault-flux")]
    accounts = [login["kubernetesServiceAccountToken"]["serviceAccountRef"]["name"] for login in logins]
    assert accounts == ["vault", "vault-flux"]
    assert [login["role"] for login in logins] == ["external-secrets", "external-secrets-flux"]
    assert {("ServiceAccount", name) for name in accounts} <= objects(environment()).keys()


def test_tokens_are_made_for_these_accounts_alone() -> None:
    (rule,) = objects(environment())["Role", "vault-token"]["rules"]
    assert (rule["resources"], rule["resourceNames"]) == (["serviceaccounts/token"], ["vault", "vault-flux"])
    (release,) = [item for layer in environment().layers for item in layer.releases if item.name == "external-secrets"]
    assert release.values["rbac"] == {"serviceAccountTokenCreate": False}


def test_the_ca_bundle_is_given_where_there_is_one() -> None:
    assert "caBundle" not in vault(environment())
    assert base64.b64decode(vault(environment(vault__ca_bundle=CA))["caBundle"]).decode() == CA


@pytest.mark.parametrize(
    ("store", "conditions"),
    [
        ("vault", [{"namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": "platform"}}}]),
        ("vault-flux", [{"namespaces": ["flux-system"]}]),
    ],
)
def test_each_store_serves_its_own_namespaces(store: str, conditions: list[Any]) -> None:
    assert objects(environment())["ClusterSecretStore", store]["spec"]["conditions"] == conditions


def test_the_age_key_outlives_everything() -> None:
    item = objects(environment())["ExternalSecret", "sops-age"]
    assert item["metadata"]["namespace"] == "flux-system"
    assert item["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    target = item["spec"]["target"]
    assert (target["creationPolicy"], target["deletionPolicy"]) == ("Orphan", "Retain")
    (entry,) = item["spec"]["data"]
    assert entry == {"secretKey": "age.agekey", "remoteRef": {"key": "sandbox/flux", "property": "age_key"}}
    assert item["spec"]["secretStoreRef"]["name"] == "vault-flux"


def test_the_store_is_ready_only_when_it_says_so() -> None:
    (layer,) = [layer for layer in environment().layers if layer.id == STORE]
    assert {ready.kind for ready in layer.ready} == {"ClusterSecretStore", "ExternalSecret"}


def test_every_credential_is_below_the_environments_path_in_vault() -> None:
    found = [item for layer in environment().layers for item in layer.manifests if item["kind"] == "ExternalSecret"]
    keys = {entry["remoteRef"]["key"] for item in found for entry in item["spec"]["data"]}
    assert keys == {
        *("sandbox/flux", "sandbox/platform/backups", "sandbox/platform/digitalocean-dns", "sandbox/platform/grafana"),
        *("sandbox/platform/postgres/main/episodic", "sandbox/platform/rabbitmq/main/episodic"),
        "sandbox/platform/valkey/main",
    }


def test_no_object_of_the_platform_is_a_secret() -> None:
    assert not [
        item for layer in environment("production").layers for item in layer.manifests if item["kind"] == "Secret"
    ]


@pytest.mark.parametrize(("name", "namespace"), [("controller", "external-secrets"), ("apps", "episodic")])
def test_the_network_is_open_to_vaults_port(name: str, namespace: str) -> None:
    env = environment(vault__address="https://vault.example.org:8201")
    (policy,) = [
        item
        for layer in env.layers
        for item in layer.manifests
        if item["kind"] == "NetworkPolicy" and item["metadata"] == {"name": name, "namespace": namespace}
    ]
    assert 8201 in {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_a_namespace_of_vault_is_named_to_external_secrets_and_to_applications() -> None:
    env = environment(vault__namespace="admin/platform")
    assert vault(env)["namespace"] == "admin/platform"
    assert "namespace" not in vault(environment())
    contracts = [item for layer in env.layers for item in layer.manifests if item["kind"] == "ConfigMap"]
    assert {"admin/platform"} == {
        item["data"]["namespace"] for item in contracts if item["metadata"]["name"] == "vault-contract"
    }


def test_applications_find_the_contract_with_vault_in_their_namespace() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"
    env = environment(vault__ca_bundle=pem)
    (contract,) = [
        item
        for layer in env.layers
        for item in layer.manifests
        if item["kind"] == "ConfigMap" and item["metadata"] == {"name": "vault-contract", "namespace": "episodic"}
    ]
    assert contract["data"] == {
        "address": "https://vault.episodic.example:8200",
        "audiences": "vault",
        "auth_method": "jwt",
        "auth_mount": "jwt-sandbox",
        "ca.crt": pem,
        "kv_mount": "episodic",
        "path": "sandbox/platform/apps/episodic",
        "role": "external-secrets-app-episodic",
    }


def test_links() -> None:
    assert said.links("vault_eso", everything()) == [
        "external-secrets/controller -> the internet: 8200",
        "episodic/apps -> the internet: 8200",
        "external-secrets/controller -> the API server: 443 6443 16443",
        "external-secrets/webhook -> the API server: 443 6443 16443",
        "external-secrets/cert-controller -> the API server: 443 6443 16443",
        "the API server -> external-secrets/webhook: 10250",
        "external-secrets/cert-controller -> external-secrets/webhook: 8081 10250",
        "observability/prometheus -> external-secrets/controller: 8080",
        "observability/prometheus -> external-secrets/webhook: 8080",
        "observability/prometheus -> external-secrets/cert-controller: 8080",
    ]


def test_settings() -> None:
    assert said.settings("vault_eso") == {"VaultEso.enabled": "True", "VaultEso.replicas": "2 Ge(ge=1) Le(le=9)"}


def test_values() -> None:
    assert said.releases("vault_eso", everything()) == {"external-secrets": ("external-secrets", "2.9.0", True)}
    assert said.values("vault_eso", everything()) == {
        "external-secrets": {
            "replicaCount": 2,
            "podDisruptionBudget.enabled": True,
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "external-secrets"}},
                }
            ],
            "nodeSelector.pool-role": "system",
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "installCRDs": True,
            "crds.annotations.helm.sh/resource-policy": "keep",
            "leaderElect": True,
            "processClusterExternalSecret": False,
            "processClusterPushSecret": False,
            "processPushSecret": False,
            "rbac.serviceAccountTokenCreate": False,
            "resources.requests.cpu": "50m",
            "resources.requests.memory": "128Mi",
            "resources.limits.memory": "256Mi",
            "serviceMonitor.enabled": True,
            "webhook.replicaCount": 2,
            "webhook.podDisruptionBudget.enabled": True,
            "webhook.topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "external-secrets-webhook"}},
                }
            ],
            "webhook.nodeSelector.pool-role": "system",
            "webhook.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "webhook.resources.requests.cpu": "20m",
            "webhook.resources.requests.memory": "64Mi",
            "webhook.resources.limits.memory": "64Mi",
            "certController.replicaCount": 1,
            "certController.podDisruptionBudget.enabled": False,
            "certController.topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "external-secrets-cert-controller"}},
                }
            ],
            "certController.nodeSelector.pool-role": "system",
            "certController.tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            "certController.resources.requests.cpu": "20m",
            "certController.resources.requests.memory": "128Mi",
            "certController.resources.limits.memory": "128Mi",
        }
    }


def test_operators() -> None:
    assert said.operators("vault_eso") == {
        "external-secrets": ("brings external-secrets.io", "webhook external-secrets/webhook: 10250")
    }


def test_a_secret_is_brought_hourly_and_outlives_a_store_that_is_away() -> None:
    objects = [item for layer in everything().layers for item in layer.manifests]
    secrets = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "ExternalSecret"}
    assert {(spec["refreshInterval"], spec["target"]["deletionPolicy"]) for spec in secrets.values()} == {
        ("1h", "Retain")
    }
    owners = {name: spec["target"]["creationPolicy"] for name, spec in secrets.items()}
    assert {name for name, policy in owners.items() if policy != "Owner"} == {"sops-age"}
    retries = [item["spec"]["retrySettings"] for item in objects if item["kind"] == "ClusterSecretStore"]
    assert retries == [{"maxRetries": 5, "retryInterval": "10s"}] * 2

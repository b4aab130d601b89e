"""The way to Vault: who logs in, the stores, what is read from them, and what applications are told of it.

Upstream: external-secrets/external-secrets helm-chart-2.9.0 `docs/provider/hashicorp-vault.md`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from constructs_lib.kit import (
    APPROLE_SECRET,
    FLUX_NAMESPACE,
    KEEP,
    Manifest,
    manifest,
)

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

NAMESPACE = "external-secrets"
PLATFORM_STORE = "vault"
FLUX_STORE = "vault-flux"
STORES = (PLATFORM_STORE, FLUX_STORE)
"""Each is the name of the service account as which it logs in, too."""
AGE_KEY_SECRET = "sops-age"  # noqa: S105 - a name
APP_ACCOUNT = "vault"
"""The service account as which an application logs in to Vault, and its SecretStore, each in its namespace."""
API = "external-secrets.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class InVault:
    """An entry in Vault: its path, and its property for each key of the Secret.

    `template` goes into the Secret's own template: labels, type, keys that are made of others.
    """

    path: str
    keys: Mapping[str, str]
    template: Manifest = field(default_factory=dict[str, Any])


def external_secret(env: Environment, name: str, namespace: str, entry: InVault) -> Manifest:
    """Return the ExternalSecret that makes the Secret `name` from an entry below the environment's platform path."""
    full = replace(entry, path=f"{env.vault.kv.platform}/{entry.path}")
    return from_vault(_of_cluster(PLATFORM_STORE), name, namespace, full)


def _of_cluster(store: str) -> dict[str, str]:
    return {"kind": "ClusterSecretStore", "name": store}


def from_vault(store: dict[str, str], name: str, namespace: str, entry: InVault) -> Manifest:
    """Return the ExternalSecret that makes a Secret from an entry, by a store: its kind and its name."""
    target: Manifest = {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"}
    if entry.template:
        target["template"] = {"engineVersion": "v2", **entry.template}
    data = [
        {"secretKey": key, "remoteRef": {"key": entry.path, "property": entry.keys[key]}} for key in sorted(entry.keys)
    ]
    spec = {
        "refreshInterval": "1h",
        "refreshPolicy": "Periodic",
        "secretStoreRef": store,
        "target": target,
        "data": data,
    }
    return manifest(API, "ExternalSecret", name, namespace, spec=spec)


def stores(env: Environment) -> Iterator[Manifest]:
    """One store for the platform's namespaces, and one for Flux's, each usable from there alone."""
    platform = {"namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": "platform"}}}
    yield _store(env, PLATFORM_STORE, platform)
    yield _store(env, FLUX_STORE, {"namespaces": [FLUX_NAMESPACE]})


def _store(env: Environment, name: str, condition: Manifest) -> Manifest:
    spec = {"conditions": [condition], **provider(env, name, {"name": name, "namespace": NAMESPACE})}
    return manifest(API, "ClusterSecretStore", name, spec=spec)


def provider(env: Environment, name: str, account: dict[str, str] | None = None) -> Manifest:
    """Return what stands in every store: where Vault is, and how the store called `name` logs in, as its `account`."""
    vault: Manifest = {
        "server": env.vault.address,
        "path": env.vault.kv.mount,
        "version": "v2",
        "auth": _auth(env, name, account or {}),
    }
    if env.vault.namespace is not None:
        vault["namespace"] = env.vault.namespace
    if env.vault.ca_bundle is not None:
        vault["caBundle"] = b64encode(env.vault.ca_bundle.encode()).decode()
    retry = {"maxRetries": 5, "retryInterval": "10s"}
    return {"retrySettings": retry, "provider": {"vault": vault}}


def store_of(application: str) -> str:
    """Return by which name its store is known among all of a cluster: in its role, its policy, and with an AppRole."""
    return f"{PLATFORM_STORE}-app-{application}"


def vault_role(env: Environment, store: str) -> str:
    """Return the name of a store's role in Vault; with an AppRole all stores have the same."""
    auth = env.vault.auth
    own = f"{env.cluster.name}-external-secrets" if auth.method == "approle" else auth.role
    return own if store == PLATFORM_STORE or auth.method == "approle" else f"{own}{store.removeprefix(PLATFORM_STORE)}"


def _auth(env: Environment, store: str, account: dict[str, str]) -> Manifest:
    auth = env.vault.auth
    if auth.method == "approle":
        secret = {"name": APPROLE_SECRET, "namespace": FLUX_NAMESPACE, "key": "secret-id"}
        return {"appRole": {"path": auth.mount, "roleId": auth.role_id, "secretRef": secret}}
    known = {**account, "audiences": list(auth.audiences)}
    if auth.method == "kubernetes":
        return {"kubernetes": {"mountPath": auth.mount, "role": vault_role(env, store), "serviceAccountRef": known}}
    token = {"serviceAccountRef": known, "expirationSeconds": 600}
    return {"jwt": {"path": auth.mount, "role": vault_role(env, store), "kubernetesServiceAccountToken": token}}


def login(env: Environment) -> Iterator[Manifest]:
    """Yield the account of each store, which Vault knows, and the right to make tokens for these and for no other."""
    if env.vault.auth.method == "approle":
        return
    for store in STORES:
        yield manifest("v1", "ServiceAccount", store, NAMESPACE)
    yield from token_rights(NAMESPACE, STORES)
    if env.vault.auth.method == "kubernetes":
        review = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"}
        known = [*((store, NAMESPACE) for store in STORES), *((APP_ACCOUNT, name) for name in env.applications)]
        accounts = [{"kind": "ServiceAccount", "name": name, "namespace": where} for name, where in known]
        yield manifest(RBAC, "ClusterRoleBinding", "vault-token-review", roleRef=review, subjects=accounts)


def token_rights(namespace: str, accounts: Sequence[str]) -> Iterator[Manifest]:
    """Yield the right of External Secrets to make tokens for these accounts of a namespace, and for no other."""
    rule = {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [*accounts],
        "verbs": ["create"],
    }
    yield manifest(RBAC, "Role", "vault-token", namespace, rules=[rule])
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "vault-token"}
    subject = {"kind": "ServiceAccount", "name": "external-secrets", "namespace": NAMESPACE}
    yield manifest(RBAC, "RoleBinding", "vault-token", namespace, roleRef=role, subjects=[subject])


def age_key(env: Environment) -> Manifest:
    """The key outlives this object, the store and External Secrets: without it Flux reads no sealed file."""
    entry = InVault(env.vault.kv.flux, {"age.agekey": "age_key"})
    item = from_vault(_of_cluster(FLUX_STORE), AGE_KEY_SECRET, FLUX_NAMESPACE, entry)
    item["spec"]["target"]["creationPolicy"] = "Orphan"
    item["metadata"]["annotations"] = KEEP
    return item


def published_contract(env: Environment) -> Iterator[Manifest]:
    """Yield what an application has to know to use Vault itself, where its pods can mount it. It is no secret."""
    auth = env.vault.auth
    data = {
        "address": env.vault.address,
        "auth_method": auth.method,
        "auth_mount": auth.mount,
        "kv_mount": env.vault.kv.mount,
    }
    if auth.method != "approle":
        data["audiences"] = ",".join(auth.audiences)
    if env.vault.namespace is not None:
        data["namespace"] = env.vault.namespace
    if env.vault.ca_bundle is not None:
        data["ca.crt"] = env.vault.ca_bundle
    for app in env.applications.values():
        if app.reached.vault:
            own = {"path": env.vault.kv.application(app.name)}
            if auth.method != "approle":
                own["role"] = vault_role(env, store_of(app.name))
            yield manifest("v1", "ConfigMap", "vault-contract", app.name, data=data | own)

"""The way to Vault: who logs in, the stores, what is read from them, and what applications are told of it.

Upstream: external-secrets/external-secrets helm-chart-2.9.0 `docs/provider/hashicorp-vault.md`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
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
API = "external-secrets.io/v1"


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
    return _from_vault(PLATFORM_STORE, name, namespace, replace(entry, path=f"{env.vault.kv.platform}/{entry.path}"))


def _from_vault(store: str, name: str, namespace: str, entry: InVault) -> Manifest:
    target: Manifest = {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"}
    if entry.template:
        target["template"] = {"engineVersion": "v2", **entry.template}
    data = [
        {"secretKey": key, "remoteRef": {"key": entry.path, "property": entry.keys[key]}} for key in sorted(entry.keys)
    ]
    spec = {
        "refreshInterval": "1h",
        "refreshPolicy": "Periodic",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
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
    vault: Manifest = {
        "server": env.vault.address,
        "path": env.vault.kv.mount,
        "version": "v2",
        "auth": _auth(env, name),
    }
    if env.vault.namespace is not None:
        vault["namespace"] = env.vault.namespace
    if env.vault.ca_bundle is not None:
        vault["caBundle"] = b64encode(env.vault.ca_bundle.encode()).decode()
    retry = {"maxRetries": 5, "retryInterval": "10s"}
    spec = {"conditions": [condition], "retrySettings": retry, "provider": {"vault": vault}}
    return manifest(API, "ClusterSecretStore", name, spec=spec)


def vault_role(env: Environment, store: str) -> str:
    """Return the name of a store's role in Vault; with an AppRole both stores have the same."""
    auth = env.vault.auth
    own = f"{env.cluster.name}-external-secrets" if auth.method == "approle" else auth.role
    return own if store == PLATFORM_STORE or auth.method == "approle" else f"{own}-flux"


def _auth(env: Environment, store: str) -> Manifest:
    auth = env.vault.auth
    if auth.method == "approle":
        secret = {"name": APPROLE_SECRET, "namespace": FLUX_NAMESPACE, "key": "secret-id"}
        return {"appRole": {"path": auth.mount, "roleId": auth.role_id, "secretRef": secret}}
    account = {"name": store, "namespace": NAMESPACE, "audiences": list(auth.audiences)}
    if auth.method == "kubernetes":
        return {"kubernetes": {"mountPath": auth.mount, "role": vault_role(env, store), "serviceAccountRef": account}}
    token = {"serviceAccountRef": account, "expirationSeconds": 600}
    return {"jwt": {"path": auth.mount, "role": vault_role(env, store), "kubernetesServiceAccountToken": token}}


def login(env: Environment) -> Iterator[Manifest]:
    """Yield the account of each store, which Vault knows, and the right to make tokens for these and for no other."""
    if env.vault.auth.method == "approle":
        return
    rbac = "rbac.authorization.k8s.io/v1"
    for store in STORES:
        yield manifest("v1", "ServiceAccount", store, NAMESPACE)
    rule = {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [*STORES],
        "verbs": ["create"],
    }
    yield manifest(rbac, "Role", "vault-token", NAMESPACE, rules=[rule])
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "vault-token"}
    subject = {"kind": "ServiceAccount", "name": "external-secrets", "namespace": NAMESPACE}
    yield manifest(rbac, "RoleBinding", "vault-token", NAMESPACE, roleRef=role, subjects=[subject])
    if env.vault.auth.method == "kubernetes":
        review = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"}
        accounts = [{"kind": "ServiceAccount", "name": store, "namespace": NAMESPACE} for store in STORES]
        yield manifest(rbac, "ClusterRoleBinding", "vault-token-review", roleRef=review, subjects=accounts)


def age_key(env: Environment) -> Manifest:
    """The key outlives this object, the store and External Secrets: without it Flux reads no sealed file."""
    entry = InVault(env.vault.kv.flux, {"age.agekey": "age_key"})
    item = _from_vault(FLUX_STORE, AGE_KEY_SECRET, FLUX_NAMESPACE, entry)
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
            yield manifest("v1", "ConfigMap", "vault-contract", app.name, data=data)

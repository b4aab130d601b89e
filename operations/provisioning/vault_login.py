"""The cluster's own login in Vault: the keys by which Vault knows its tokens exist only once the cluster does.

Upstream: HashiCorp Vault's documentation of the auth methods JWT ("Using Kubernetes service account tokens") and
Kubernetes. Vault's owner writes the policy, for who may write one can read everything (docs/decisions/0017).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubernetes import client as kubernetes

from constructs_lib.base.quantities import Minutes
from constructs_lib.environment import Environment
from constructs_lib.environment.vault import AppRoleAuth, ServiceAccountAuth
from constructs_lib.platform.vault_eso import NAMESPACE, VAULT_ACCOUNT
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import cluster_client, issuer
from operations.clients.vault_login import LoginMethod
from operations.console import say

LASTS = Minutes("20m")
"""How long a login lasts; External Secrets logs in anew for each reading."""


def has_to_be_told(env: Environment, api: DigitalOcean) -> bool:
    """Return whether Vault does not know the cluster's login as it is."""
    auth = _auth(env)
    return auth is not None and bool(_method(env, auth).lacking(_wanted(env, auth, api)))


def tell(env: Environment, api: DigitalOcean) -> None:
    """Let the cluster log in: mount the method if need be, and write what Vault lacks or holds otherwise."""
    auth = _auth(env)
    if auth is not None:
        for path in _method(env, auth).write(_wanted(env, auth, api)):
            say(f"Vault auth/{auth.mount}/{path}: written")


def _auth(env: Environment) -> ServiceAccountAuth | None:
    """Return how the cluster logs in; nothing with an AppRole, which Vault's owner sets up."""
    return None if isinstance(env.vault.auth, AppRoleAuth) else env.vault.auth


def _method(env: Environment, auth: ServiceAccountAuth) -> LoginMethod:
    return LoginMethod(env.vault, auth.method, auth.mount)


def _wanted(env: Environment, auth: ServiceAccountAuth, api: DigitalOcean) -> dict[str, dict[str, Any]]:
    cluster = cluster_client(api, env).api_client
    role = {"token_policies": [env.vault_policy], "token_ttl": str(LASTS.seconds)}
    config, bound = _jwt(auth, cluster, env) if auth.method == "jwt" else _kubernetes(auth, cluster)
    return {"config": config, f"role/{auth.role}": bound | role}


def _jwt(
    auth: ServiceAccountAuth, cluster: kubernetes.ApiClient, env: Environment
) -> tuple[dict[str, Any], dict[str, Any]]:
    found = issuer(cluster, env.cluster.name)
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [*auth.audiences],
        "bound_subject": f"system:serviceaccount:{NAMESPACE}:{VAULT_ACCOUNT}",
    }
    return {"jwt_validation_pubkeys": found.keys, "bound_issuer": found.name}, role


def _kubernetes(auth: ServiceAccountAuth, cluster: kubernetes.ApiClient) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = cluster.configuration
    config = {
        "kubernetes_host": settings.host,
        "kubernetes_ca_cert": Path(str(settings.ssl_ca_cert)).read_text().strip(),
        "disable_local_ca_jwt": True,
    }
    role = {
        "bound_service_account_names": [VAULT_ACCOUNT],
        "bound_service_account_namespaces": [NAMESPACE],
        "audience": auth.audiences[0],
    }
    return config, role

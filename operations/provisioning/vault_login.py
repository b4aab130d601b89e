"""The keys by which Vault knows a cluster's tokens: they exist only once the cluster does.

Upstream: HashiCorp Vault's documentation of the auth methods JWT ("Using Kubernetes service account tokens") and
Kubernetes. Methods, roles and policies are made by Vault's owner (`operations/secrets/trust.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from constructs_lib.base.console import say
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.environment.vault import AppRoleAuth, ServiceAccountAuth
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import cluster_client, issuer
from operations.clients.vault_paths import VaultPaths


def has_to_be_told(env: Environment, api: DigitalOcean, purpose: Purpose) -> bool:
    """Return whether Vault does not know the cluster's keys as they are."""
    auth = env.vault.auth
    if isinstance(auth, AppRoleAuth):
        return False
    return bool(_vault(env, purpose).lacking(_wanted(env, auth, api)))


def tell(env: Environment, api: DigitalOcean) -> None:
    """Let the cluster log in: write its keys, if Vault lacks them or holds others."""
    auth = env.vault.auth
    if not isinstance(auth, AppRoleAuth):
        for path in _vault(env, Purpose.APPLY).write(_wanted(env, auth, api)):
            say(f"Vault {path}: written")


def _vault(env: Environment, purpose: Purpose) -> VaultPaths:
    return VaultPaths(env.vault, env.vault.ci.role_for(purpose))


def _wanted(env: Environment, auth: ServiceAccountAuth, api: DigitalOcean) -> dict[str, dict[str, Any]]:
    cluster = cluster_client(api, env).api_client
    where = f"auth/{auth.mount}/config"
    if auth.method == "jwt":
        found = issuer(cluster, env.cluster.name)
        return {where: {"jwt_validation_pubkeys": found.keys, "bound_issuer": found.name}}
    settings = cluster.configuration
    certificate = Path(str(settings.ssl_ca_cert)).read_text().strip()
    reviewer = {"kubernetes_host": settings.host, "kubernetes_ca_cert": certificate, "disable_local_ca_jwt": True}
    return {where: reviewer}

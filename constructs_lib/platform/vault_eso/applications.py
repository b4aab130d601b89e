"""An application's own way to Vault: its account there, its store, and what is read by it.

With an AppRole a cluster has one login for all, so the store is the platform's in disguise and Kubernetes alone keeps
applications apart: a store of the cluster that one namespace may use, and that applications' own objects may not name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.vault_eso.store import (
    API,
    APP_ACCOUNT,
    InVault,
    from_vault,
    provider,
    store_of,
    token_rights,
)

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


def account(env: Environment, application: str) -> Iterator[Manifest]:
    """Yield its account with the right of External Secrets to make tokens for it, and its store."""
    if env.vault.auth.method == "approle":
        spec = {**provider(env, store_of(application)), "conditions": [{"namespaces": [application]}]}
        yield manifest(API, "ClusterSecretStore", store_of(application), spec=spec)
        return
    yield manifest("v1", "ServiceAccount", APP_ACCOUNT, application, automountServiceAccountToken=False)
    yield from token_rights(application, (APP_ACCOUNT,))
    spec = provider(env, store_of(application), {"name": APP_ACCOUNT})
    yield manifest(API, "SecretStore", APP_ACCOUNT, application, spec=spec)


def secret_from(env: Environment, application: str, name: str, entry: InVault) -> Manifest:
    """Return the ExternalSecret of an application by its own store; the entry has its whole path."""
    if env.vault.auth.method == "approle":
        return from_vault({"kind": "ClusterSecretStore", "name": store_of(application)}, name, application, entry)
    return from_vault({"kind": "SecretStore", "name": APP_ACCOUNT}, name, application, entry)

"""A new secret ID for External Secrets' AppRole: both are valid until provisioning has brought the new one."""

from __future__ import annotations

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import VAULT_SECRET_ID
from constructs_lib.environment import Environment
from constructs_lib.environment.vault import AppRoleAuth
from constructs_lib.kit import APPROLE_SECRET
from constructs_lib.platform.vault_eso import STORES, vault_role
from operations.clients.secret_ids import SecretIds
from operations.clients.vault import Secrets
from operations.rotation.in_cluster import flux_secret
from operations.rotation.revision import put, tell_provisioning
from operations.secrets.credentials import secrets_of


def rotate_approle(env: Environment) -> None:
    """Do the next step: a new secret ID for Vault's entry, or the end of those that the cluster has no more.

    Raises `ConfigError` if the environment's cluster logs in otherwise.
    """
    auth = env.vault.auth
    if not isinstance(auth, AppRoleAuth):
        found = f"environments/{env.name}.yaml: vault.auth.method is '{auth.method}'"
        raise ConfigError(f"{found}, which has no secret ID; only an approle has one to rotate")
    secrets = secrets_of(env, Purpose.BOOTSTRAP)
    ids = SecretIds(env.vault, auth.mount, vault_role(env, STORES[0]))
    held = secrets.read(env.vault.kv.provisioning).get(VAULT_SECRET_ID, "")
    own = ids.accessor(held) if held else None
    others = [accessor for accessor in ids.accessors() if accessor != own]
    there = flux_secret(env, secrets, APPROLE_SECRET)
    if own is not None and there is not None and there.values.get("secret-id") != held:
        tell_provisioning(env, secrets)
    elif own is not None and others:
        _end(env, ids, others)
        return
    else:
        _begin(env, secrets, ids)
    say(f"{env.name}: Vault has the new secret ID; provision {env.name} (services), then run this again")


def _begin(env: Environment, secrets: Secrets, ids: SecretIds) -> None:
    """Make a secret ID beside the one that is there, and put it into Vault with a number for provisioning."""
    put(secrets, env.vault.kv.provisioning, **{VAULT_SECRET_ID: ids.make()})
    tell_provisioning(env, secrets)


def _end(env: Environment, ids: SecretIds, others: list[str]) -> None:
    """Destroy those that nobody has: the one before, and what a killed run left."""
    for accessor in others:
        ids.destroy(accessor)
        say(f"{env.name}: the secret ID with accessor {accessor} is gone")
    say(f"{env.name}: the one in Vault and in the cluster is the only one")

"""The number by which provisioning writes the secrets of a cluster again: another one for other secrets alone."""

from __future__ import annotations

import hashlib

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import SECRETS_REVISION, VAULT_SECRET_ID
from constructs_lib.environment import Environment
from operations.clients.vault import Secrets
from operations.secrets.entries import DEPLOY_KEY, public_half


def tell_provisioning(env: Environment, secrets: Secrets) -> None:
    """Keep the number where plans may read it, who may not read what it is made of."""
    kv = env.vault.kv
    key = public_half(secrets.read(kv.flux)[DEPLOY_KEY], f"{secrets.mount}/{kv.flux}")
    written = key + secrets.read(kv.provisioning).get(VAULT_SECRET_ID, "")
    number = str(int.from_bytes(hashlib.sha256(written.encode()).digest()[:4]))
    if secrets.read(kv.state).get(SECRETS_REVISION) == number:
        return
    put(secrets, kv.state, **{SECRETS_REVISION: number})


def put(secrets: Secrets, path: str, **values: str) -> None:
    """Give properties of an entry these values. Raises `ConfigError` if another run writes meanwhile."""
    if not secrets.replace(path, values, secrets.version(path)):
        raise ConfigError(f"Vault {secrets.mount}/{path}: was written by another run meanwhile; run this again")

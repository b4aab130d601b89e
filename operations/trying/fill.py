"""Filling the sandbox's Vault, as the pages say: the engine, the cluster's way in, what is brought, and the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from hvac.exceptions import InvalidRequest

from constructs_lib.base.bucket import BucketPurpose
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import STATE_PASSPHRASE
from constructs_lib.environment import Environment
from operations.clients import vault as client
from operations.clients.digitalocean import DigitalOcean
from operations.clients.vault import explained, log_in
from operations.provisioning import vault_login
from operations.secrets.credentials import KEY, secrets_of
from operations.secrets.entries import ensure_entries
from operations.secrets.owner import apply
from operations.secrets.trust import cluster_trust
from operations.trying.keys import Keys
from operations.trying.place import BACKUPS, SOURCE

TRIES = 60
"""How often an engine is asked, each second, whether it is ready to keep entries."""


@contextmanager
def as_owner(token: str) -> Generator[None]:
    """Let Vault's owner be who runs this, and afterwards whoever was it before."""
    names = ("VAULT_TOKEN", client.REQUEST_URL)
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ["VAULT_TOKEN"] = token
    try:
        yield
    finally:
        del os.environ["VAULT_TOKEN"]
        os.environ.update(before)


def reached_at(env: Environment, port: int) -> Environment:
    """Return the environment with its Vault where it is reached from here."""
    return env.model_copy(update={"vault": env.vault.model_copy(update={"address": f"https://localhost:{port}"})})


def fill(env: Environment, keys: Keys) -> None:
    """Bring Vault to what the environment asks of it, whatever it holds already."""
    kv = env.vault.kv
    _ensure_engine(env)
    apply(cluster_trust(env))
    vault_login.tell(env, DigitalOcean(""))
    secrets = secrets_of(env, Purpose.APPLY)
    secrets.put(kv.state, {STATE_PASSPHRASE: keys.state_passphrase})
    for path, bucket in {kv.flux: SOURCE, f"{kv.platform}/{BucketPurpose.BACKUPS}": BACKUPS}.items():
        secrets.put(path, dict(zip(KEY, keys.of_buckets[bucket], strict=True)))
    ensure_entries(env)


def _ensure_engine(env: Environment) -> None:
    vault, mount = log_in(env.vault, None), env.vault.kv.mount
    with explained(env.vault, f"sys/mounts/{mount}", None):
        answer: Any = vault.sys.list_mounted_secrets_engines()
        if f"{mount}/" not in answer["data"]:
            vault.sys.enable_secrets_engine("kv", path=mount, options={"version": "2"})
    for _ in range(TRIES):
        try:
            secrets_of(env, Purpose.APPLY).read(env.vault.kv.flux)
        except (ConfigError, InvalidRequest):  # it is being made
            time.sleep(1)
        else:
            return
    raise ConfigError(f"Vault {mount}: is not ready to keep entries after {TRIES} s; run this again")

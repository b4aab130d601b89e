"""A new Spaces key: made and put into Vault at once, while the one before goes on working until all have read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean
from operations.secrets.credentials import ACCOUNT, secrets_of
from operations.secrets.spaces_keys import LIST, bucket_keys, other_keys, put_new_key

SETTLED = timedelta(hours=2)
"""After this time nobody has the old key: External Secrets reads hourly, and a login to Vault lasts for minutes."""


def rotate_spaces_key(env: Environment, which: str) -> None:
    """Make a new key, or remove those before it once the new one is old enough. Raises `ConfigError` for another name.

    What reads its key only when it starts (Tempo) has to be restarted in between.
    """
    keys = bucket_keys(env)
    if which not in keys:
        raise ConfigError(unknown("key", which, list(keys)))
    key, secrets = keys[which], secrets_of(env, Purpose.BOOTSTRAP)
    api = DigitalOcean(secrets.read(env.vault.kv.provisioning)[ACCOUNT[0]])
    others = [*other_keys(key, secrets, api)]
    if not others:
        put_new_key(key, secrets, api)
        say(f"Vault {secrets.mount}/{key.path}: a new key {key.name}; run this again in {SETTLED} to end the old one")
        return
    held = secrets.read(key.path)["access_key_id"]
    made = next((item["created_at"] for item in api.list(LIST, "keys") if item["access_key"] == held), None)
    if made is None:
        raise ConfigError(f"Vault {secrets.mount}/{key.path}: DigitalOcean has no such key; run `bootstrap secrets`")
    until = datetime.fromisoformat(made) + SETTLED
    if datetime.now(UTC) < until:
        say(f"Spaces key {key.name}: the old one may be in use; run this again after {until:%Y-%m-%d %H:%M} UTC")
        return
    for item in others:
        api.delete(f"{LIST}/{item['access_key']}")
        say(f"Spaces key {key.name}: {item['access_key']} removed")

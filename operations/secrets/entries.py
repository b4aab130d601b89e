"""What Vault has to hold for an environment: what is made here when it is missing, and what a person has to bring.

The list comes from the environment itself: its ExternalSecrets name every entry that the cluster will ask for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pyrage
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import STATE_PASSPHRASE, VAULT_SECRET_ID
from constructs_lib.environment import Environment
from constructs_lib.environment.vault import AppRoleAuth
from operations.clients.vault import Secrets
from operations.secrets.credentials import ACCOUNT, KEY, missing, secrets_of

DEPLOY_KEY = "deploy_key"
FORMER_DEPLOY_KEY = "former_deploy_key"
"""The key before it, while a rotation is under way."""
AGE_KEY = "age_key"

_Identity: Any = pyrage.x25519.Identity  # pyright: ignore[reportAttributeAccessIssue] - the package has no types
_IdentityError: type[Exception] = pyrage.IdentityError  # pyright: ignore[reportAttributeAccessIssue]

Makers = dict[str, Callable[[], str]]
"""How each property of an entry is made."""


def ensure_entries(env: Environment) -> dict[str, tuple[str, ...]]:
    """Make what is missing in Vault and can be made, and return the properties that were made, by path.

    Raises `ConfigError`, with nothing written, for each property that a person has to bring.
    """
    vault = secrets_of(env, Purpose.BOOTSTRAP)
    _refuse_missing(env, vault)
    entries = {path: vault.add(path, made) for path, made in makers(env).items()}
    _refuse_other_age_key(env, vault)
    return {path: names for path, names in entries.items() if names}


def missing_entries(env: Environment) -> dict[str, tuple[str, ...]]:
    """Return what `ensure_entries` would make. Raises `ConfigError` as it does."""
    vault = secrets_of(env, Purpose.BOOTSTRAP)
    _refuse_missing(env, vault)
    lacking = {path: tuple(made.keys() - vault.read(path).keys()) for path, made in makers(env).items()}
    return {path: names for path, names in lacking.items() if names}


def public_deploy_key(env: Environment) -> str:
    """Return the public half of the deploy key that Vault holds, in OpenSSH form."""
    return public_half(private_deploy_key(env, Purpose.BOOTSTRAP), f"{env.vault.kv.mount}/{env.vault.kv.flux}")


def private_deploy_key(env: Environment, purpose: Purpose) -> str:
    """Return the private half, in OpenSSH's PEM form. Raises `ConfigError` if Vault holds none."""
    refuse_bucket(env)
    key = secrets_of(env, purpose).read(env.vault.kv.flux).get(DEPLOY_KEY)
    if key is None:
        where = f"Vault {env.vault.kv.mount}/{env.vault.kv.flux}"
        raise ConfigError(f"{where}: {DEPLOY_KEY}: is missing; run `bin/operations bootstrap secrets`")
    return key


def refuse_bucket(env: Environment) -> None:
    """Raise `ConfigError` where Flux follows a bucket, for which no deploy key is."""
    if env.source is not None:
        where = f"environments/{env.name}.yaml: source"
        raise ConfigError(f"{where}: Flux follows a bucket, so {env.name} has no deploy key; its key is in Vault")


def source_key(env: Environment, purpose: Purpose) -> tuple[str, str]:
    """Return the ID and the secret of the key of the bucket that Flux follows.

    Raises `ConfigError` if one is missing.
    """
    secrets = secrets_of(env, purpose)
    if problems := missing(secrets, env.vault.kv.flux, KEY, made=False):
        raise ConfigError(*problems)
    key_id, secret = (secrets.read(env.vault.kv.flux)[name] for name in KEY)
    return key_id, secret


def public_half(private: str, where: str) -> str:
    """Return the public half of an ed25519 key in OpenSSH form. Raises `ConfigError` if it is no such key."""
    try:
        key = load_ssh_private_key(private.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            f"Vault {where}: {DEPLOY_KEY}: is no OpenSSH private key; remove it to have one made"
        ) from None
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _refuse_missing(env: Environment, vault: Secrets) -> None:
    problems = [problem for path, names in brought(env) for problem in missing(vault, path, names, made=False)]
    if problems:
        raise ConfigError(*problems)


def _asked_for(env: Environment) -> Iterator[tuple[str, str]]:
    """Yield the path and property of each entry that an ExternalSecret of the environment reads."""
    for layer in env.layers:
        for item in layer.objects:
            if isinstance(item, dict) and item["kind"] == "ExternalSecret":
                yield from ((data["remoteRef"]["key"], data["remoteRef"]["property"]) for data in item["spec"]["data"])


def makers(env: Environment) -> dict[str, Makers]:
    """Return what can be made, by path."""
    made: dict[str, Makers] = {env.vault.kv.state: {STATE_PASSPHRASE: new_password}}
    if env.source is None:
        made[env.vault.kv.flux] = {DEPLOY_KEY: new_deploy_key}
    for path, name in _asked_for(env):
        maker = _maker(env, path, name)
        if maker is not None:
            made.setdefault(path, {})[name] = maker
    return made


def _maker(env: Environment, path: str, name: str) -> Callable[[], str] | None:
    """Return how a property is made; nothing for one that somebody has to give, as an application's own secrets."""
    if path.startswith(env.vault.kv.application("")):
        return None
    match path.rpartition("/")[2], name:
        case _, "age_key":
            return new_age_key
        case _, "username":
            return lambda: "admin"
        case (_, "password") | ("influxdb", "token"):
            return new_password
        case _:
            return None


def brought(env: Environment) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what a person has to bring, by path; the keys of buckets are made with these."""
    ours = env.cluster.provider == "digitalocean"
    provisioning = [*ACCOUNT] if ours else []
    if isinstance(env.vault.auth, AppRoleAuth):
        provisioning.append(VAULT_SECRET_ID)
    yield env.vault.kv.provisioning, tuple(provisioning)
    if ours:
        yield env.vault.kv.plan, ("digitalocean_token",)
    elif env.state is not None:
        yield env.vault.kv.state, KEY
    if env.source is not None:
        yield env.vault.kv.flux, KEY
    given = {env.vault.kv.key_of(purpose) for purpose in env.buckets}
    for path, name in sorted(set(_asked_for(env))):
        if path not in given and _maker(env, path, name) is None:
            yield path, (name,)


def _refuse_other_age_key(env: Environment, vault: Secrets) -> None:
    """Raise `ConfigError` if sealed secrets would be encrypted for another key than those the cluster has."""
    if env.sops_recipient is None:
        return
    where = f"Vault {env.vault.kv.mount}/{env.vault.kv.flux}: {AGE_KEY}"
    if env.sops_recipient not in map(age_recipient, age_keys(vault.read(env.vault.kv.flux)[AGE_KEY], where)):
        raise ConfigError(f"{where}: is not the private half of sops_recipient in environments/{env.name}.yaml")


def age_keys(text: str, where: str) -> list[str]:
    """Return the age keys in a text, one a line, as in a file of age-keygen. Raises `ConfigError` if it holds none."""
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        found = [key for key in keys if _Identity.from_str(key)]
    except _IdentityError:
        found = []
    if not found:
        raise ConfigError(f"{where}: is no age key; make one with age-keygen")
    return found


def age_recipient(key: str) -> str:
    """Return the public half of an age key."""
    return str(_Identity.from_str(key).to_public())


def new_password() -> str:
    """Return a random password of 256 bits."""
    return secrets.token_urlsafe(32)


def new_age_key() -> str:
    """Return a new age key."""
    return str(_Identity.generate())


def new_deploy_key() -> str:
    """Return the private half of a new deploy key, in OpenSSH's PEM form."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()

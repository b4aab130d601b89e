"""The credentials that Vault holds for the workflows, checked before anything is done with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import NEXT_STATE_PASSPHRASE, STATE_PASSPHRASE, given
from constructs_lib.environment import Environment
from constructs_lib.environment.repository import GitOps
from operations.clients.vault import Secrets, open_vault

PASSPHRASE_CHARACTERS = 16
"""The shortest passphrase that OpenTofu takes for PBKDF2."""


@dataclass(frozen=True)
class Credentials:
    """What a stack needs to reach DigitalOcean, Spaces and its own state. No field is shown when this is printed."""

    digitalocean_token: str = field(repr=False)
    spaces_access_key_id: str = field(repr=False)
    spaces_secret_access_key: str = field(repr=False)
    state_passphrase: str = field(repr=False)
    state_access_key_id: str = field(repr=False)
    state_secret_access_key: str = field(repr=False)
    next_state_passphrase: str | None = field(default=None, repr=False)

    def variables(self) -> dict[str, str]:
        """Return the environment variables by which OpenTofu, its backend and the provider take them."""
        following = self.next_state_passphrase
        return {
            **({} if following is None else {given(NEXT_STATE_PASSPHRASE): following}),
            "DIGITALOCEAN_TOKEN": self.digitalocean_token,
            "SPACES_ACCESS_KEY_ID": self.spaces_access_key_id,
            "SPACES_SECRET_ACCESS_KEY": self.spaces_secret_access_key,
            "AWS_ACCESS_KEY_ID": self.state_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.state_secret_access_key,
            given(STATE_PASSPHRASE): self.state_passphrase,
        }


ACCOUNT = ("digitalocean_token", "spaces_access_key_id", "spaces_secret_access_key")
"""What a person brings for what makes things: it makes keys that may less for all others."""

KEY = ("access_key_id", "secret_access_key")
"""The properties of an entry that holds a Spaces key."""


def secrets_of(env: Environment, purpose: Purpose) -> Secrets:
    """Return the Vault entries of an environment, as a purpose sees them."""
    return open_vault(env.vault, env.vault.kv.mount, purpose)


def credentials_of(env: Environment, purpose: Purpose) -> Credentials:
    """Return the credentials of a purpose: what only looks has a token and a key that can change nothing.

    Raises `ConfigError` naming every property that is missing.
    """
    secrets, kv = secrets_of(env, purpose), env.vault.kv
    if env.cluster.provider == "existing":
        return state_credentials(secrets, kv.state, bucket=env.state is not None)
    looks = purpose in {Purpose.PLAN, Purpose.DRIFT}
    path, names = (kv.plan, ("digitalocean_token", *KEY)) if looks else (kv.provisioning, ACCOUNT)
    account, state = secrets.read(path), secrets.read(kv.state)
    problems = [*_lacking(secrets, path, account, names), *_lacking(secrets, kv.state, state, (*KEY, STATE_PASSPHRASE))]
    problems += _weak(secrets, kv.state, state)
    if problems:
        raise ConfigError(*problems)
    (token, key_id, secret), (own_id, own_secret) = (account[name] for name in names), (state[name] for name in KEY)
    following = state.get(NEXT_STATE_PASSPHRASE)
    return Credentials(token, key_id, secret, state[STATE_PASSPHRASE], own_id, own_secret, following)


def gitops_credentials(secrets: Secrets, path: str, passphrase: str | None = None) -> Credentials:
    """Return the credentials of the GitOps repository's stack, whose one entry holds them all.

    `passphrase` is used where the entry has none. Raises `ConfigError` naming every property that is missing.
    """
    entry = {**({} if passphrase is None else {STATE_PASSPHRASE: passphrase}), **secrets.read(path)}
    problems = [*_lacking(secrets, path, entry, (*ACCOUNT, STATE_PASSPHRASE)), *_weak(secrets, path, entry)]
    if problems:
        raise ConfigError(*problems)
    token, key_id, secret = (entry[name] for name in ACCOUNT)
    following = entry.get(NEXT_STATE_PASSPHRASE)
    return Credentials(token, key_id, secret, entry[STATE_PASSPHRASE], key_id, secret, following)


def state_credentials(secrets: Secrets, path: str, *, bucket: bool = True) -> Credentials:
    """Return what reaches and reads the states of an environment, and nothing else; files need no key of a bucket."""
    entry = secrets.read(path)
    names = (*(KEY if bucket else ()), STATE_PASSPHRASE)
    problems = [*_lacking(secrets, path, entry, names), *_weak(secrets, path, entry)]
    if problems:
        raise ConfigError(*problems)
    key_id, secret = (entry.get(name, "") for name in KEY)
    following = entry.get(NEXT_STATE_PASSPHRASE)
    return Credentials("", key_id, secret, entry[STATE_PASSPHRASE], key_id, secret, following)


def integration_token(gitops: GitOps) -> str:
    """Return the token of the account in which tests make and remove things; it is that of no environment."""
    secrets = open_vault(gitops.vault, gitops.vault.mount, Purpose.INTEGRATION)
    path = gitops.vault.github(Purpose.INTEGRATION)
    problems = missing(secrets, path, ["digitalocean_token"])
    if problems:
        raise ConfigError(*problems)
    return secrets.read(path)["digitalocean_token"]


def missing(secrets: Secrets, path: str, names: Iterable[str], *, made: bool = True) -> list[str]:
    """Return a sentence for each property that an entry of Vault lacks; unless `made`, the bootstrap makes none."""
    return [*_lacking(secrets, path, secrets.read(path), names, made=made)]


def _lacking(
    secrets: Secrets, path: str, entry: Mapping[str, str], names: Iterable[str], *, made: bool = True
) -> Iterator[str]:
    where, advice = f"Vault {secrets.mount}/{path}", "(docs/how-to/bootstrap.md)"
    for name in (name for name in names if not entry.get(name)):
        ours = made and name in {*KEY, STATE_PASSPHRASE}
        yield f"{where}: {name}: is missing; {'run `bin/operations bootstrap secrets`' if ours else 'add it'} {advice}"


def _weak(secrets: Secrets, path: str, entry: Mapping[str, str]) -> Iterator[str]:
    if 0 < len(entry.get(STATE_PASSPHRASE, "")) < PASSPHRASE_CHARACTERS:
        where = f"Vault {secrets.mount}/{path}: {STATE_PASSPHRASE}"
        yield f"{where}: must have {PASSPHRASE_CHARACTERS} characters or more; replace it"

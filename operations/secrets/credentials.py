"""The credentials that Vault holds for the workflows, checked before anything is done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Self

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import STATE_PASSPHRASE, given
from constructs_lib.environment import Environment
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

    @classmethod
    def brought(cls) -> list[str]:
        """Return the names of the properties that a person has to bring; the passphrase is made."""
        return [name for name in cls.names() if name != STATE_PASSPHRASE]

    @classmethod
    def read(cls, secrets: Secrets, path: str, instead: Mapping[str, str] | None = None) -> Self:
        """Return what an entry of Vault holds, or what is to be used `instead` of a property that it lacks.

        Raises `ConfigError` naming every property that is missing.
        """
        entry = {**(instead or {}), **secrets.read(path)}
        problems = missing(secrets, path, [name for name in cls.names() if name not in entry])
        if 0 < len(entry.get(STATE_PASSPHRASE, "")) < PASSPHRASE_CHARACTERS:
            where = f"Vault {secrets.mount}/{path}: {STATE_PASSPHRASE}"
            problems.append(f"{where}: must have {PASSPHRASE_CHARACTERS} characters or more; replace it")
        if problems:
            raise ConfigError(*problems)
        return cls(**{name: entry[name] for name in cls.names()})

    @classmethod
    def names(cls) -> list[str]:
        """Return the properties that the entry has to have."""
        return [item.name for item in fields(cls)]

    def variables(self) -> dict[str, str]:
        """Return the environment variables by which OpenTofu, its backend and the provider take them."""
        return {
            "DIGITALOCEAN_TOKEN": self.digitalocean_token,
            "SPACES_ACCESS_KEY_ID": self.spaces_access_key_id,
            "SPACES_SECRET_ACCESS_KEY": self.spaces_secret_access_key,
            "AWS_ACCESS_KEY_ID": self.spaces_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.spaces_secret_access_key,
            given(STATE_PASSPHRASE): self.state_passphrase,
        }


@dataclass(frozen=True)
class GitOpsCredentials(Credentials):
    """The same for the GitOps repository, with the token that may make and change it."""

    github_token: str = field(repr=False)

    def variables(self) -> dict[str, str]:
        """Return the environment variables, GitHub's among them."""
        return {**super().variables(), "GITHUB_TOKEN": self.github_token}


def secrets_of(env: Environment) -> Secrets:
    """Return the Vault entries of an environment."""
    return open_vault(env.vault, env.vault.kv.mount)


def credentials_of(env: Environment) -> Credentials:
    """Return the credentials with which an environment is provisioned."""
    return Credentials.read(secrets_of(env), env.vault.kv.provisioning)


def missing(secrets: Secrets, path: str, names: Iterable[str]) -> list[str]:
    """Return a sentence for each property that an entry of Vault lacks."""
    entry = secrets.read(path)
    where = f"Vault {secrets.mount}/{path}"
    return [f"{where}: {name}: is missing; add it (docs/how-to/bootstrap.md)" for name in names if not entry.get(name)]

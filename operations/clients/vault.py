"""Vault's KV engine (version 2), as a workflow or an engineer sees it.

A workflow logs in with the token that GitHub signs for its job (docs.github.com, "Configuring OpenID Connect in
HashiCorp Vault"); elsewhere `VAULT_TOKEN` is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, Unauthorized, VaultDown, VaultError

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment.vault import VaultServer
from operations.clients.http import TIMEOUT_SECONDS, ca_file, session
from operations.console import mask

REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable


TRIES = 5
"""How often a write is tried that meets one of somebody else."""

Entry = dict[str, str]
"""The properties of an entry, as texts."""


class Secrets:
    """The entries of one KV mount."""

    def __init__(self, client: hvac.Client, server: VaultServer, mount: str, role: str | None = None) -> None:
        self._kv, self._read = client.secrets.kv.v2, client.read
        self._server, self._role, self.mount = server, role, mount

    def read(self, path: str) -> Entry:
        """Return the properties of an entry that hold something; none if there is no such entry.

        Every value is masked in a job's log.
        """
        return _texts(self._versioned(path)[0])

    def add(self, path: str, wanted: Mapping[str, Callable[[], str]]) -> tuple[str, ...]:
        """Make the properties that an entry has not got, and return the names of those that are ours now.

        Two runs at once cannot both write: the second one finds another version than it read, and looks again.
        """
        made: Entry = {}

        def lacking(entry: Entry) -> Entry:
            made.update({name: make() for name, make in wanted.items() if name not in {**entry, **made}})
            return {name: value for name, value in made.items() if name not in entry}

        entry, _ = self._change(path, lacking)
        return tuple(name for name, value in made.items() if entry[name] == value)

    def put(self, path: str, values: Mapping[str, str]) -> bool:
        """Give properties of an entry these values, and say whether that was needed."""
        _, written = self._change(
            path, lambda entry: {name: value for name, value in values.items() if entry.get(name) != value}
        )
        return written

    def _change(self, path: str, new: Callable[[Entry], Entry]) -> tuple[Entry, bool]:
        """Write what is `new` beside what an entry has; return its texts, and whether there was something new.

        A write whose answer was lost finds itself when it looks again. Raises `ConfigError` if others are faster.
        """
        for tried in range(TRIES):
            data, version = self._versioned(path)
            entry = _texts(data)
            added = new(entry)
            if not added:
                return entry, tried > 0
            if self._write(path, {**data, **added}, version):
                return {**entry, **added}, True
        where = f"Vault {self.mount}/{path}"
        raise ConfigError(f"{where}: somebody else wrote it at each of {TRIES} tries; run this again later")

    def notes(self, path: str) -> dict[str, str]:
        """Return what stands beside an entry as custom metadata, which is no secret; nothing if there is none."""
        with explained(self._server, f"{self.mount}/metadata/{path}", self._role):
            try:
                answer = self._kv.read_secret_metadata(path, mount_point=self.mount)
            except InvalidPath:
                return {}
        return dict(answer["data"].get("custom_metadata") or {})

    def names(self, path: str) -> frozenset[str]:
        """Return the properties of an entry, of which Vault tells the names alone here; none if there is no entry."""
        where = f"{self.mount}/subkeys/{path}"
        with explained(self._server, where, self._role):
            answer: Any = self._read(where)
        return frozenset(answer["data"]["subkeys"] or ()) if answer else frozenset()

    def version(self, path: str) -> int:
        """Return how often an entry was written."""
        return self._versioned(path)[1]

    def replace(self, path: str, values: Mapping[str, str], version: int) -> bool:
        """Give properties of an entry these values, if `version` is its last one still; say whether it has them.

        A write whose answer was lost is refused when it is repeated, and finds itself.
        """
        entry, found = self._versioned(path)
        if found == version and self._write(path, {**entry, **values}, version):
            return True
        return values.items() <= self.read(path).items()

    def remove(self, path: str, name: str) -> None:
        """Take a property out of an entry, if it is there. Raises `ConfigError` if somebody else writes meanwhile."""
        entry, version = self._versioned(path)
        if name in entry:
            rest = {key: value for key, value in entry.items() if key != name}
            if not self._write(path, rest, version) and name in self.read(path):
                raise ConfigError(f"Vault {self.mount}/{path}: was written by another run meanwhile; run this again")

    def _versioned(self, path: str) -> tuple[dict[str, Any], int]:
        with explained(self._server, f"{self.mount}/{path}", self._role):
            try:
                answer = self._kv.read_secret_version(path, mount_point=self.mount, raise_on_deleted_version=False)
            except InvalidPath:
                return {}, 0
        data = answer["data"]
        entry = data["data"] or {}
        for value in _texts(entry).values():
            mask(value)
        return entry, data["metadata"]["version"]

    def _write(self, path: str, data: dict[str, Any], version: int) -> bool:
        for value in _texts(data).values():
            mask(value)
        with explained(self._server, f"{self.mount}/{path}", self._role):
            try:
                self._kv.create_or_update_secret(path, data, cas=version, mount_point=self.mount)
            except InvalidRequest as error:
                if "check-and-set" in str(error):
                    return False
                raise
        return True


def _texts(data: Mapping[str, Any]) -> Entry:
    """Return what an entry holds as texts; a property that holds nothing is none."""
    return {name: str(value) for name, value in data.items() if value is not None}


_tokens: dict[tuple[str, str | None, str, str | None], str] = {}
"""One login for each server, namespace, method and role."""


def open_vault(server: VaultServer, mount: str, purpose: Purpose) -> Secrets:
    """Log in for a purpose and return the entries of a mount. Raises `ConfigError` with what has to be fixed."""
    role = server.ci.role_for(purpose)
    return Secrets(log_in(server, role), server, mount, role)


def log_in(server: VaultServer, role: str | None) -> hvac.Client:
    """Return a client that is logged in, in a job by this role; without one, a person's token is asked for.

    Raises `ConfigError` with what has to be fixed.
    """
    verify = True if server.ca_bundle is None else ca_file(server.ca_bundle)
    # 503 says that Vault is sealed. What is posted may be posted again: an entry is bound to the version that was read.
    http = session(repeated=(429, 500, 502, 504), posts_again=True)
    http.verify = verify
    client = hvac.Client(
        server.address, session=http, verify=verify, timeout=TIMEOUT_SECONDS, namespace=server.namespace
    )
    key = (server.address, server.namespace, server.ci.mount, role)
    if key not in _tokens:
        with explained(server, f"auth/{server.ci.mount}/login", role):
            _tokens[key] = _login(client, server, role)
        mask(_tokens[key])
    client.token = _tokens[key]
    return client


def _login(client: hvac.Client, server: VaultServer, role: str | None) -> str:
    if role is not None and os.environ.get(REQUEST_URL):
        login: Any = client.auth.jwt.jwt_login(role, _id_token(server.address), path=server.ci.mount)
        return login["auth"]["client_token"]
    token = os.environ.get("VAULT_TOKEN")
    if not token:
        raise ConfigError("VAULT_TOKEN: is not set; log in to Vault, or give the job the permission id-token: write")
    return token


def _id_token(audience: str) -> str:
    """Return the token by which GitHub vouches for this job to `audience`."""
    try:
        with session(os.environ[REQUEST_TOKEN]) as http:
            answer = http.get(os.environ[REQUEST_URL], params={"audience": audience})
    except requests.RequestException:
        raise ConfigError("GitHub gives this job no OpenID Connect token (no answer); run the job again") from None
    if not answer.ok:
        raise ConfigError(f"GitHub gives this job no OpenID Connect token ({answer.status_code}); run the job again")
    token = answer.json()["value"]
    mask(token)
    return token


@contextmanager
def explained(server: VaultServer, what: str, role: str | None) -> Generator[None]:
    """Turn what Vault answers into a sentence. None of them holds a value."""
    try:
        yield
    except VaultDown:
        raise ConfigError(f"Vault at {server.address} is sealed or not initialised; unseal it") from None
    except (Forbidden, Unauthorized):
        whom = f"role {role}" if role is not None and os.environ.get(REQUEST_URL) else "VAULT_TOKEN"
        advice = "run `bin/operations vault apply` with the token of Vault's owner"
        raise ConfigError(f"Vault at {server.address} forbids {what} to {whom}; {advice}") from None
    except InvalidRequest as error:
        raise ConfigError(f"Vault at {server.address} refuses {what}: {error.errors or error}") from None
    except VaultError as error:
        raise ConfigError(f"Vault at {server.address} failed at {what}: {type(error).__name__}; try again") from None
    except requests.RequestException as error:
        why = "its certificate is not trusted" if isinstance(error, requests.exceptions.SSLError) else "no answer"
        raise ConfigError(f"Vault at {server.address} cannot be reached ({why}); check vault.address") from None

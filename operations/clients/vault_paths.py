"""What Vault holds of its own settings: auth methods, roles, policies, each at a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import hvac
from hvac.exceptions import InvalidPath

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.vault import VaultServer
from operations.clients.vault import explained, log_in

Writes = Mapping[str, Mapping[str, Any]]
"""What is written to each path; what Vault answers holds that and its own defaults."""


class VaultPaths:
    """The settings of one Vault, as a role of a workflow sees them, or without one whoever has VAULT_TOKEN."""

    def __init__(self, server: VaultServer, role: str | None) -> None:
        self._client: hvac.Client = log_in(server, role)
        self._server, self._role = server, role

    def lacking(self, wanted: Writes) -> list[str]:
        """Return the paths at which Vault does not hold what is wanted."""
        return [path for path, data in wanted.items() if not _holds(self._read(path), data)]

    def write(self, wanted: Writes) -> list[str]:
        """Write what Vault does not hold as wanted, and return the paths."""
        paths = self.lacking(wanted)
        for path in paths:
            with self._explained(path):
                try:
                    self._client.write_data(path, data=dict(wanted[path]))
                except InvalidPath:
                    mount = "/".join(path.split("/")[:2])
                    advice = "run `bin/operations vault apply` with the token of Vault's owner"
                    raise ConfigError(f"Vault at {self._server.address}: {mount} is not enabled; {advice}") from None
        return paths

    def unmounted(self, methods: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the mount and kind of each auth method that is not enabled.

        Raises `ConfigError` if another kind is where one should be.
        """
        with self._explained("sys/auth"):
            answer: Any = self._client.sys.list_auth_methods()
        enabled = {mount.rstrip("/"): method["type"] for mount, method in answer["data"].items()}
        for mount, kind in methods.items():
            found = enabled.get(mount)
            if found not in {kind, None}:
                other = f"auth/{mount} is a method of kind {found}, wanted is {kind}"
                raise ConfigError(f"Vault at {self._server.address}: {other}; choose another mount or disable it")
            if found is None:
                yield mount, kind

    def enable(self, mount: str, kind: str) -> None:
        """Enable an auth method."""
        with self._explained(f"sys/auth/{mount}"):
            self._client.sys.enable_auth_method(kind, path=mount)

    def there(self, path: str) -> bool:
        """Return whether Vault holds anything at a path."""
        return bool(self._read(path))

    def names(self, path: str, begin: str) -> list[str]:
        """Return what Vault lists at a path and begins so; nothing where there is no such path."""
        with self._explained(path):
            answer: Any = self._client.list(path)
        return [name for name in (answer["data"]["keys"] if answer else ()) if name.startswith(begin)]

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        with self._explained(path):
            self._client.delete(path)

    def _read(self, path: str) -> dict[str, Any]:
        with self._explained(path):
            answer: Any = self._client.read(path)
        return answer["data"] if answer else {}

    def _explained(self, what: str) -> Any:
        return explained(self._server, what, self._role)


def _holds(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(_plain(held.get(name)) == _plain(value) for name, value in wanted.items())


def _plain(value: Any) -> Any:
    """Return a value as it can be compared: Vault keeps a single text of a claim as it is and sorts what is a set."""
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return sorted(map(_plain, value))
        case str():
            return value.strip()
        case _:
            return str(value)

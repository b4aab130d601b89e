"""An auth method of Vault by which a cluster logs in: what it holds, below `auth/<mount>`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hvac
from hvac.exceptions import InvalidPath, InvalidRequest

from constructs_lib.environment.vault import VaultServer
from operations.clients.vault import explained, log_in

Entries = Mapping[str, Mapping[str, Any]]
"""What is written to each path below a mount; what Vault answers holds that and its own defaults."""


class LoginMethod:
    """One auth method of a kind (`jwt`, `kubernetes`), mounted when it is first written to."""

    def __init__(self, server: VaultServer, kind: str, mount: str) -> None:
        self._client: hvac.Client = log_in(server)
        self._server, self._kind, self._mount = server, kind, mount

    def lacking(self, wanted: Entries) -> list[str]:
        """Return the paths at which Vault does not hold what is wanted."""
        return [path for path, data in wanted.items() if not _texts(data).items() <= _texts(self._read(path)).items()]

    def write(self, wanted: Entries) -> list[str]:
        """Write what Vault does not hold as wanted, and return the paths."""
        paths = self.lacking(wanted)
        for path in paths:
            self._write(f"auth/{self._mount}/{path}", wanted[path])
        return paths

    def _read(self, path: str) -> dict[str, Any]:
        where = f"auth/{self._mount}/{path}"
        with explained(self._server, where):
            answer: Any = self._client.read(where)
        return answer["data"] if answer else {}

    def _write(self, where: str, data: Mapping[str, Any]) -> None:
        with explained(self._server, where):
            try:
                self._client.write_data(where, data=dict(data))
            except InvalidPath:  # nothing is mounted there yet
                self._mount_it()
                self._client.write_data(where, data=dict(data))

    def _mount_it(self) -> None:
        where = f"sys/auth/{self._mount}"
        with explained(self._server, where):
            try:
                self._client.write_data(where, data={"type": self._kind})
            except InvalidRequest as error:
                if "path is already in use" not in str(error):  # another run was faster
                    raise


def _texts(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the values as texts: Vault answers a number to what a policy can only name as a text (`vault/acl.go`)."""
    return {name: str(value) for name, value in data.items()}

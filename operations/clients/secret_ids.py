"""The secret IDs of an AppRole: several may be valid at once, and each has an accessor, which opens nothing.

Upstream: HashiCorp Vault's documentation, "AppRole auth method (API)".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import hvac
from hvac.exceptions import InvalidPath

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.vault import VaultServer
from operations.clients.vault import explained, log_in
from operations.console import mask


class SecretIds:
    """Those of one role, as a role of a workflow sees them, or without one whoever has VAULT_TOKEN."""

    def __init__(self, server: VaultServer, mount: str, name: str, role: str | None = None) -> None:
        self._client: hvac.Client = log_in(server, role)
        self._server, self._role, self._path = server, role, f"auth/{mount}/role/{name}"

    def accessors(self) -> list[str]:
        """Return the accessor of each secret ID that is valid."""
        with self._explained("secret-id"):
            answer: Any = self._client.list(f"{self._path}/secret-id")
        return answer["data"]["keys"] if answer else []

    def accessor(self, secret_id: str) -> str | None:
        """Return the accessor of a secret ID; nothing if it is valid no more."""
        found = self._write("secret-id/lookup", secret_id=secret_id)
        return found["secret_id_accessor"] if found else None

    def make(self) -> str:
        """Make another secret ID, beside those that are there."""
        made = self._write("secret-id")["secret_id"]
        mask(made)
        return made

    def destroy(self, accessor: str) -> None:
        """End a secret ID. Vault fails at one that it does not know, as when the first answer was lost."""
        try:
            self._write("secret-id-accessor/destroy", secret_id_accessor=accessor)
        except ConfigError:
            if accessor in self.accessors():
                raise

    def ends(self) -> Iterator[datetime | None]:
        """Yield when each secret ID that is valid ends by itself; None for one that does not."""
        for accessor in self.accessors():
            found = self._write("secret-id-accessor/lookup", secret_id_accessor=accessor)
            if found:
                end = datetime.fromisoformat(found["expiration_time"])
                yield None if end.year == 1 else end

    def _write(self, what: str, **data: str) -> dict[str, Any]:
        """Ask what Vault answers only to what is posted; nothing if it knows no such thing."""
        with self._explained(what):
            try:
                answer: Any = self._client.write_data(f"{self._path}/{what}", data=data)
            except InvalidPath:
                return {}
        return answer["data"] if isinstance(answer, dict) else {}

    def _explained(self, what: str) -> Any:
        return explained(self._server, f"{self._path}/{what}", self._role)

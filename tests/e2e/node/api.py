"""The few calls of the Kubernetes API that the stand-ins need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests


class Api:
    """The API server, as its administrator."""

    def __init__(self, server: str, pki: Path) -> None:
        self._server = server
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(pki / "ca.crt")
        self._session.cert = (str(pki / "admin.crt"), str(pki / "admin.key"))

    def list(self, path: str) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        return self._call("GET", path)["items"]

    def create(self, path: str, item: dict[str, Any]) -> None:
        """Create an object."""
        self._call("POST", path, item)

    def patch(self, path: str, change: dict[str, Any]) -> None:
        """Merge a change into an object."""
        self._call("PATCH", path, change, **{"Content-Type": "application/merge-patch+json"})

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._call("DELETE", path)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        answer = self._session.request(method, self._server + path, json=body, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()

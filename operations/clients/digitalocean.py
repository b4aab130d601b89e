"""DigitalOcean's API, for what OpenTofu does not do. Paths: digitalocean/openapi, as in the provider v2.71.0."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import requests

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import POOL_LABEL
from operations.clients.http import session

PAGE_SIZE = 200
LOOKS, LOOK_SECONDS = 180, 10
"""How often and when it is looked whether something is gone: half an hour, as the provider waits."""

Resource = dict[str, Any]


class DigitalOcean:
    """An account. `DIGITALOCEAN_API_URL` names another address, as it does for the provider."""

    def __init__(self, token: str) -> None:
        self._http = session(token)
        self._url = os.environ.get("DIGITALOCEAN_API_URL", "https://api.digitalocean.com").rstrip("/")

    def list(self, path: str, key: str) -> Iterator[Resource]:
        """Yield everything that a list such as `/v2/vpcs` has under `key`, page by page."""
        page = 1
        while True:
            answer = self.get(path, page=page, per_page=PAGE_SIZE)
            yield from answer[key]
            if not answer.get("links", {}).get("pages", {}).get("next"):
                return
            page += 1

    def get(self, path: str, **query: Any) -> Resource:
        """Return what is at `path`."""
        return self._answer("GET", path, params=query).json()

    def post(self, path: str, body: Resource) -> Resource:
        """Make something, asked once; return what it is."""
        return self._answer("POST", path, json=body).json()

    def put(self, path: str, body: Resource) -> Resource:
        """Change what is at `path`; return what it is."""
        return self._answer("PUT", path, json=body).json()

    def delete(self, path: str) -> None:
        """Delete what is at `path`; what is gone already is no error."""
        self._answer("DELETE", path, gone=True)

    def delete_and_wait(self, path: str) -> None:
        """Delete what is at `path`, and return once it is gone. Raises `ConfigError` if it stays."""
        self.delete(path)
        for _ in range(LOOKS):
            if self._answer("GET", path, gone=True).status_code == 404:
                return
            time.sleep(LOOK_SECONDS)
        raise ConfigError(
            f"DigitalOcean has not deleted {path} after {LOOKS * LOOK_SECONDS // 60} min; try again later"
        )

    def team(self) -> str:
        """Return what tells this account from others: the number of its team, or of itself if it has none.

        Every token of a team reaches all that is the team's (digitalocean/openapi `account_get`).
        """
        account = self.get("/v2/account")["account"]
        return (account.get("team") or account)["uuid"]

    def cluster(self, name: str) -> Resource | None:
        """Return the Kubernetes cluster of this name, if there is one."""
        clusters = self.list("/v2/kubernetes/clusters", "kubernetes_clusters")
        return next((cluster for cluster in clusters if cluster["name"] == name), None)

    def balancer(self, name: str) -> Resource | None:
        """Return the load balancer of this name, once it has an address."""
        balancers = self.list("/v2/load_balancers", "load_balancers")
        return next((item for item in balancers if item["name"] == name and item.get("ip")), None)

    def _answer(self, method: str, path: str, *, gone: bool = False, **options: Any) -> requests.Response:
        try:
            answer = self._http.request(method, f"{self._url}{path}", **options)
        except requests.RequestException:
            raise ConfigError(f"DigitalOcean at {self._url} gives no answer; try again later") from None
        if answer.ok or (gone and answer.status_code == 404):
            return answer
        if answer.status_code in {401, 403}:
            why = f"DigitalOcean refuses {method} {path} ({answer.status_code})"
            raise ConfigError(f"{why}; correct digitalocean_token in Vault, or its scopes (docs/how-to/bootstrap.md)")
        raise ConfigError(f"DigitalOcean answers {answer.status_code} to {method} {path}: {_message(answer)}")


def pool_key(pool: Resource) -> str:
    """Return how the environment file calls a node pool, by our label; nothing if it has none, or lost it."""
    return (pool["labels"] or {}).get(POOL_LABEL, "")


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.reason

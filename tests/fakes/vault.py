"""Vault's KV engine (version 2), JWT login and secret IDs as hvac 2 calls them (docs: HTTP API), without TLS.

It keeps what it is given, below `auth` too; rules and policies are for the real Vault of `tests/e2e/vault.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flask import Response, request

from tests.fakes.server import Body, FakeServer

TOKEN = "vault-token"


def endless(names: Iterable[str]) -> dict[str, str]:
    """Return the notes of who brings tokens without an end."""
    return {f"{name}_expires": "never" for name in names if name.endswith("token")}


class Options(Body):
    """What a write is bound to."""

    cas: int


class Entry(Body):
    """POST /v1/{mount}/data/{path}."""

    options: Options | None = None
    data: dict[str, Any]


class Login(Body):
    """POST /v1/auth/{mount}/login."""

    role: str
    jwt: str


class Mount(Body):
    """POST /v1/sys/auth/{mount}."""

    type: str
    config: dict[str, Any] | None = None
    local: bool = False
    seal_wrap: bool = False


class FakeVault(FakeServer):
    """A Vault to use as a context manager. `entries` holds every version of each entry, by `mount/path`.

    `auth` holds what was written to auth methods, by `mount/path`, and `mounts` the kind of each; `namespaces` where
    anybody asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.mounts: dict[str, str] = {}
        self.auth: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, str] = {}
        self.notes: dict[str, dict[str, str]] = {}
        """The custom metadata of entries, by `mount/path`."""
        self.logins: list[tuple[str, str, str]] = []
        self.namespaces: set[str | None] = set()
        self.app.before_request(self._authorise)
        self.app.add_url_rule("/v1/auth/<path:mount>/login", view_func=self._login, methods=["POST"])
        self.app.add_url_rule("/v1/sys/auth/<mount>", view_func=self._mount, methods=["POST"])
        self.app.add_url_rule("/v1/sys/auth", view_func=self._list_methods, methods=["GET"])
        self.app.add_url_rule("/v1/sys/policies/acl", view_func=self._list_policies, methods=["GET"])
        policy = "/v1/sys/policies/acl/<name>"
        self.app.add_url_rule(policy, "read_policy", self._read_policy, methods=["GET"])
        self.app.add_url_rule(policy, "write_policy", self._write_policy, methods=["POST", "PUT"])
        self.app.add_url_rule(policy, "delete_policy", self._delete_policy, methods=["DELETE"])
        method = "/v1/auth/<mount>/<path:path>"
        self.app.add_url_rule(method, "read_method", self._read_method, methods=["GET"])
        self.app.add_url_rule(method, "write_method", self._write_method, methods=["POST", "PUT"])
        self.app.add_url_rule(method, "delete_method", self._delete_method, methods=["DELETE"])
        self.secret_ids: dict[str, str] = {}
        """Those of every AppRole, by accessor."""
        self.expires: dict[str, str] = {}
        """When one of them ends, by accessor."""
        of_role = "/v1/auth/<mount>/role/<name>"
        self.app.add_url_rule(f"{of_role}/secret-id", "list_ids", self._list_ids, methods=["GET"])
        self.app.add_url_rule(f"{of_role}/secret-id", "make_id", self._make_id, methods=["POST"])
        self.app.add_url_rule(
            f"{of_role}/<any('secret-id','secret-id-accessor'):_by>/lookup", "id", self._show_id, methods=["POST"]
        )
        self.app.add_url_rule(f"{of_role}/secret-id-accessor/destroy", "end_id", self._end_id, methods=["POST"])
        self.app.add_url_rule("/v1/<path:mount>/metadata/<path:path>", view_func=self._metadata, methods=["GET"])
        self.app.add_url_rule("/v1/<path:mount>/subkeys/<path:path>", view_func=self._subkeys, methods=["GET"])
        path = "/v1/<path:mount>/data/<path:path>"
        self.app.add_url_rule(path, "read", self._read, methods=["GET"])
        self.app.add_url_rule(path, "write", self._write, methods=["POST"])

    def put(self, path: str, **properties: Any) -> None:
        """Write a new version of `mount/path`, as somebody else would."""
        self.entries.setdefault(path, []).append(properties)

    def held(self, path: str) -> dict[str, Any]:
        """Return the last version of `mount/path`."""
        return self.entries[path][-1]

    def error(self, status: int, message: str) -> Response:
        """Return an error as Vault does."""
        return Response(json.dumps({"errors": [message]}), status, content_type="application/json")

    def _authorise(self) -> Response | None:
        self.namespaces.add(request.headers.get("X-Vault-Namespace"))
        if request.path.endswith("/login") or request.headers.get("X-Vault-Token") == TOKEN:
            return None
        return self.error(403, "permission denied")

    def _login(self, mount: str) -> Any:
        body = Login.model_validate(request.get_json())
        self.logins.append((mount, body.role, body.jwt))
        return {"auth": {"client_token": TOKEN}}

    def _read(self, mount: str, path: str) -> Any:
        versions = self.entries.get(f"{mount}/{path}", [])
        if not versions:
            return self.error(404, "")
        return {"data": {"data": versions[-1], "metadata": {"version": len(versions)}}}

    def _metadata(self, mount: str, path: str) -> Any:
        if f"{mount}/{path}" not in self.entries:
            return self.error(404, "")
        return {"data": {"custom_metadata": self.notes.get(f"{mount}/{path}")}}

    def _subkeys(self, mount: str, path: str) -> Any:
        if f"{mount}/{path}" not in self.entries:
            return self.error(404, "")
        return {"data": {"subkeys": dict.fromkeys(self.held(f"{mount}/{path}")), "metadata": {}}}

    def _write(self, mount: str, path: str) -> Any:
        body = Entry.model_validate(request.get_json())
        versions = self.entries.setdefault(f"{mount}/{path}", [])
        if body.options is not None and body.options.cas != len(versions):
            return self.error(400, "check-and-set parameter did not match the current version")
        versions.append(body.data)
        return {"data": {"version": len(versions)}}

    def _mount(self, mount: str) -> Any:
        if mount in self.mounts:
            return self.error(400, f"path is already in use at {mount}/")
        self.mounts[mount] = Mount.model_validate(request.get_json()).type
        return Response(status=204)

    def _list_methods(self) -> Any:
        return {"data": {f"{mount}/": {"type": kind} for mount, kind in {**self.mounts, "token": "token"}.items()}}

    def _list_policies(self) -> Any:
        return {"data": {"keys": [*self.policies]}}

    def _read_policy(self, name: str) -> Any:
        found = self.policies.get(name)
        return self.error(404, "") if found is None else {"data": {"name": name, "policy": found}}

    def _write_policy(self, name: str) -> Any:
        self.policies[name] = request.get_json()["policy"]
        return Response(status=204)

    def _delete_policy(self, name: str) -> Any:
        del self.policies[name]
        return Response(status=204)

    def _delete_method(self, mount: str, path: str) -> Any:
        del self.auth[f"{mount}/{path}"]
        return Response(status=204)

    def _read_method(self, mount: str, path: str) -> Any:
        if "list" in request.args:
            begin = f"{mount}/{path}/"
            names = [name.removeprefix(begin) for name in self.auth if name.startswith(begin)]
            return {"data": {"keys": names}} if names else self.error(404, "")
        found = self.auth.get(f"{mount}/{path}")
        return self.error(404, "") if found is None else {"data": {"token_type": "default", **found}}

    def _write_method(self, mount: str, path: str) -> Any:
        if mount not in self.mounts:
            return self.error(404, f'no handler for route "auth/{mount}/{path}". route entry not found.')
        self.auth[f"{mount}/{path}"] = request.get_json()
        return Response(status=204)

    def _list_ids(self, mount: str, name: str) -> Any:
        assert request.args["list"] == "True"
        return {"data": {"keys": [*self.secret_ids]}} if self.secret_ids else self.error(404, "")

    def _make_id(self, mount: str, name: str) -> Any:
        number = len(self.requests)
        self.secret_ids[f"accessor-{number}"] = f"secret-id-{number}"
        return {"data": {"secret_id": f"secret-id-{number}", "secret_id_accessor": f"accessor-{number}"}}

    def _show_id(self, mount: str, name: str, _by: str) -> Any:
        body = request.get_json()
        asked = {body.get("secret_id"), body.get("secret_id_accessor")}
        for accessor, secret_id in self.secret_ids.items():
            if not asked.isdisjoint({accessor, secret_id}):
                end = self.expires.get(accessor, "0001-01-01T00:00:00Z")
                return {"data": {"secret_id_accessor": accessor, "expiration_time": end}}
        return Response(status=204) if "secret_id" in body else self.error(404, "failed to find accessor entry")

    def _end_id(self, mount: str, name: str) -> Any:
        found = self.secret_ids.pop(request.get_json()["secret_id_accessor"], None)
        return self.error(500, "failed to find accessor entry") if found is None else Response(status=204)

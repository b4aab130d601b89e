"""A real Vault on loopback, over TLS: `tools/vault` serves Vault's own core from memory."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import hvac
import requests
from hvac.exceptions import InvalidPath, InvalidRequest

from constructs_lib.environment import Environment
from operations.clients import vault as client
from operations.secrets.owner import apply
from operations.secrets.trust import ISSUER, trusts
from tests.e2e.certificate import make_certificate
from tests.support import ROOT

BINARY = ROOT / "tools/bin/vault-server"
MOUNT = "episodic"


class Vault:
    """A Vault to use as a context manager, unsealed unless told otherwise, with a KV engine (version 2) at `MOUNT`."""

    def __init__(self, folder: Path, *, sealed: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._certificate, self._key = folder / "vault.crt", folder / "vault.key"
        self._sealed = sealed
        self.address = self.token = ""

    def __enter__(self) -> Self:
        make_certificate(self._certificate, self._key)
        sealed = ["-sealed"] if self._sealed else []
        self._process = subprocess.Popen(
            [str(BINARY), "-cert", str(self._certificate), "-key", str(self._key), *sealed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert self._process.stdout is not None
            said = json.loads(self._process.stdout.readline())
            self.address, self.token = said["addr"], said["token"]
            if not self._sealed:
                self._mount()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def ca(self) -> str:
        """The certificate that a client has to trust, in PEM."""
        return self._certificate.read_text()

    def client(self, token: str | None = None) -> hvac.Client:
        """Return a client with this token, or the root token."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self._certificate)
        token = self.token if token is None else token
        return hvac.Client(self.address, token=token, session=session, verify=str(self._certificate))

    def read(self, path: str) -> dict[str, str]:
        """Return an entry; nothing if there is none."""
        try:
            answer: Any = self.client().secrets.kv.v2.read_secret_version(
                path, mount_point=MOUNT, raise_on_deleted_version=True
            )
        except InvalidPath:
            return {}
        return answer["data"]["data"]

    def write(self, path: str, **values: str) -> None:
        """Put properties into an entry, beside those it has."""
        self.client().secrets.kv.v2.create_or_update_secret(path, {**self.read(path), **values}, mount_point=MOUNT)

    def note(self, path: str, notes: dict[str, str]) -> None:
        """Put custom metadata beside an entry."""
        self.client().secrets.kv.v2.update_metadata(path, custom_metadata=notes, mount_point=MOUNT)

    def remove(self, path: str) -> None:
        """Remove an entry with all of its versions."""
        self.client().secrets.kv.v2.delete_metadata_and_all_versions(path, mount_point=MOUNT)

    def versions(self) -> dict[str, int]:
        """Return how often each entry was written."""
        return dict(self._versions(""))

    def follow(self, environments: Sequence[Environment], public_key: str) -> None:
        """Make what `bin/operations vault apply` makes of these environments, whose Vault this is.

        GitHub's address cannot be reached, so Vault is given the key by which the tests sign.
        """
        with patch.dict(os.environ, {"VAULT_TOKEN": self.token}), patch.object(client, "_tokens", {}):
            for trust in trusts(environments):
                for path in trust.writes:
                    if "oidc_discovery_url" in trust.writes[path]:
                        trust.writes[path] = {"jwt_validation_pubkeys": [public_key], "bound_issuer": ISSUER}
                apply(trust)

    def _mount(self) -> None:
        self.client().sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
        for _ in range(100):
            try:
                self.client().secrets.kv.v2.create_or_update_secret("ready", {"yes": "1"}, mount_point=MOUNT)
            except InvalidRequest:  # the engine is being upgraded to version 2
                time.sleep(0.1)
            else:
                self.client().secrets.kv.v2.delete_metadata_and_all_versions("ready", mount_point=MOUNT)
                return
        raise TimeoutError("Vault's KV engine is not ready after 10 s")

    def _versions(self, folder: str) -> Any:
        kv = self.client().secrets.kv.v2
        try:
            listed: Any = kv.list_secrets(folder, mount_point=MOUNT)
        except InvalidPath:
            return
        for name in listed["data"]["keys"]:
            if name.endswith("/"):
                yield from self._versions(f"{folder}{name}")
            else:
                metadata: Any = kv.read_secret_metadata(f"{folder}{name}", mount_point=MOUNT)
                yield f"{folder}{name}", metadata["data"]["current_version"]

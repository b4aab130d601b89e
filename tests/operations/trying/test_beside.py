"""What stands beside the platform tells nobody its keys, and gives each bucket to its own."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from operations.trying import beside, fill, place
from operations.trying.keys import Keys, kept_keys
from operations.trying.upload import policy
from tests.operations.conftest import Outside
from tests.operations.trying.test_place import found

PRINTS = """\
==> Vault server configuration:
2026-11-30T12:00:00.000Z [INFO]  core: security barrier initialized
WARNING! dev mode is enabled! In this mode, Vault runs entirely in-memory
Unseal Key: dXMnJ2VhbCBrZXk=
Recovery Key: cmVjb3Zlcnk=
Root Token: {token}
error loading configuration: a \\ and a $HOME
"""
"""What hashicorp/vault 2.0.4 `command/server.go` prints in development mode."""


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return kept_keys(tmp_path / "keys.json", place.HOSTS)


def nothing(*_: object) -> None:
    """Do what is done elsewhere, which this does not ask for."""


def container(keys: Keys, name: str) -> dict[str, Any]:
    (found,) = (
        item["spec"]["template"]["spec"]["containers"][0]
        for item in beside.objects(keys, "any")
        if item["kind"] == "Deployment" and item["metadata"]["name"] == name
    )
    return found


def test_neither_vaults_log_nor_its_arguments_tell_a_key_of_it(keys: Keys, tmp_path: Path) -> None:
    program = tmp_path / "vault"
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/arguments\ncat {tmp_path}/prints >&2\n')
    program.chmod(0o755)
    (tmp_path / "prints").write_text(PRINTS.format(token=keys.vault_token))
    vault = container(keys, "vault")
    assert "args" not in vault, "the entry point of the image puts the token among the arguments"
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "VAULT_DEV_ROOT_TOKEN_ID": keys.vault_token}
    said = subprocess.run(vault["command"], env=environ, capture_output=True, text=True, check=True)
    kept = [line for line in PRINTS.splitlines() if "Token:" not in line and " Key:" not in line]
    assert (said.stdout.splitlines(), said.stderr) == (kept, "")
    assert (tmp_path / "arguments").read_text().startswith("server -dev -dev-no-store-token -config=")
    assert keys.vault_token not in (tmp_path / "arguments").read_text() + str(vault["command"])


def test_each_bucket_is_its_own_keys_and_the_stores_own_is_in_no_place_of_pods(
    keys: Keys, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.written(outside.folder, found(), keys.ca)
    env = fill.reached_at(place.loaded(outside.folder), 1)
    here = env.vault.model_copy(update={"address": outside.vault.url, "ca_bundle": None})
    env = env.model_copy(update={"vault": here})
    for place_, name in ((fill, "_ensure_engine"), (fill, "apply"), (fill.vault_login, "tell")):
        monkeypatch.setattr(place_, name, nothing)
    fill.fill(env, keys)
    held = {path.partition("/")[2]: versions[-1] for path, versions in outside.vault.entries.items()}
    ids = {path: entry["access_key_id"] for path, entry in held.items() if "access_key_id" in entry}
    assert ids["flux"] == keys.source_key_id
    assert ids["platform/backups"] == keys.backups_key_id
    assert keys.access_key_id not in ids.values()
    assert keys.vault_token not in str(held)


def test_the_store_knows_each_key_as_one_that_may_nothing_by_itself(keys: Keys) -> None:
    (users,) = (
        json.loads(b64decode(item["data"]["users.json"]))["accessAccounts"]
        for item in beside.objects(keys, "any")
        if item["kind"] == "Secret" and item["metadata"]["name"] == "accounts"
    )
    assert {user["role"] for user in users.values()} == {"user"}
    assert users.keys() == {keys.source_key_id, keys.backups_key_id}
    (statement,) = policy(place.SOURCE, keys.source_key_id)["Statement"]
    assert statement["Principal"] == {"AWS": [keys.source_key_id]}
    assert not [action for action in statement["Action"] if not action.startswith(("s3:Get", "s3:List"))]

"""A new secret ID on a real Vault: the cluster's logs in at each moment, and in the end no other does."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hvac.exceptions import Forbidden, InvalidRequest

from constructs_lib.base.stacks import VAULT_SECRET_ID
from constructs_lib.environment import Environment
from operations.clients.secret_ids import SecretIds
from operations.rotation.approle import rotate_approle
from operations.secrets.entries import ensure_entries
from tests.e2e.conftest import require
from tests.e2e.outside import World, world
from tests.e2e.vault import MOUNT
from tests.operations.rotation.conftest import Runs

ROLE, PATH = "episodic-sandbox-external-secrets", "sandbox/provisioning"
AUTH = {"method": "approle", "mount": "approle", "role_id": "the-role-of-the-sandbox"}
SECRET = "/api/v1/namespaces/flux-system/secrets/vault-approle"


class Place:
    """A Vault that follows the sandbox, and a cluster that has the secret ID in it."""

    def __init__(self, world: World) -> None:
        _, self.vault, self.kubernetes = world
        self.env: Environment = world.environment(vault__auth=AUTH)
        self.ids = SecretIds(self.env.vault, "approle", ROLE)
        self.first = self.ids.make()
        self.vault.write(PATH, **{VAULT_SECRET_ID: self.first})
        ensure_entries(self.env)
        self.number = "none"
        self.provision()

    @property
    def in_vault(self) -> str:
        return self.vault.read(PATH)[VAULT_SECRET_ID]

    @property
    def in_cluster(self) -> str:
        return b64decode(self.kubernetes.objects[SECRET]["data"]["secret-id"]).decode()

    def provision(self) -> None:
        """Write the Secret, as OpenTofu does when it is given another number than before."""
        number = self.vault.read(f"{PATH}/state").get("secrets_revision", "1")
        if number != self.number:
            self.number = number
            self.kubernetes.put_secret("flux-system", "vault-approle", secret_id=self.in_vault)

    def reads(self, secret_id: str) -> bool:
        """Say whether External Secrets could read an entry of the platform with a secret ID."""
        try:
            answer: Any = self.vault.client("").auth.approle.login(AUTH["role_id"], secret_id, use_token=False)
        except InvalidRequest:
            return False
        found = self.vault.client(answer["auth"]["client_token"])
        how = {"mount_point": MOUNT, "raise_on_deleted_version": True}
        return bool(found.secrets.kv.v2.read_secret_version("sandbox/platform/grafana", **how))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    require("vault-server")
    with world(tmp_path, monkeypatch) as here:
        yield Place(here)


@pytest.mark.parametrize("number", range(1, 6))
def test_the_cluster_logs_in_at_each_moment_whatever_ends_a_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    runs = Runs(monkeypatch)
    runs.killed_after = number
    for _ in range(5):
        runs(lambda: rotate_approle(place.env))
        assert place.reads(place.in_cluster)
        assert place.reads(place.in_vault)
        place.provision()
        if place.in_vault != place.first and len(place.ids.accessors()) == 1:
            break
    assert place.in_vault == place.in_cluster != place.first
    assert (len(place.ids.accessors()), place.reads(place.first)) == (1, False)


def test_one_that_is_gone_may_be_destroyed_again_and_has_no_accessor(place: Place) -> None:
    (accessor,) = place.ids.accessors()
    assert place.ids.accessor(place.first) == accessor
    place.ids.destroy(accessor)
    place.ids.destroy(accessor)
    assert (place.ids.accessor(place.first), place.ids.accessors()) == (None, [])


def test_what_looks_for_drift_learns_when_they_end_and_nothing_else(place: Place) -> None:
    role = f"auth/approle/role/{ROLE}"
    root = place.vault.client()
    assert list(place.ids.ends()) == [None]
    made: Any = root.write_data(f"{role}/secret-id", data={"ttl": "48h"})
    limited = made["data"]
    token: Any = root.auth.token.create(policies=["episodic-sandbox-drift"])
    drift = place.vault.client(token["auth"]["client_token"])
    listed: Any = drift.list(f"{role}/secret-id")
    assert limited["secret_id_accessor"] in listed["data"]["keys"]
    asked = {"secret_id_accessor": limited["secret_id_accessor"]}
    answer: Any = drift.write_data(f"{role}/secret-id-accessor/lookup", data=asked)
    left = datetime.fromisoformat(answer["data"]["expiration_time"]) - datetime.now(UTC)
    assert timedelta(hours=47) < left <= timedelta(hours=48)
    assert "secret_id" not in answer["data"]
    for path, data in (
        ("secret-id", {}),
        ("custom-secret-id", {"secret_id": "mine"}),
        ("secret-id-accessor/destroy", asked),
        ("secret-id/lookup", {"secret_id": place.first}),
        ("role-id", {"role_id": "mine"}),
    ):
        with pytest.raises(Forbidden):
            drift.write_data(f"{role}/{path}", data=data)

"""A new secret ID: whatever ends a run, the cluster's is valid, and in the end it is the only one."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from operations.rotation.approle import rotate_approle
from operations.secrets.entries import ensure_entries
from tests.fakes.kubernetes import FakeKubernetes
from tests.fakes.server import Fault
from tests.operations.conftest import Outside
from tests.operations.rotation.conftest import Runs

PROVISIONING, STATE = "episodic/sandbox/provisioning", "episodic/sandbox/provisioning/state"
AUTH = {"method": "approle", "mount": "approle", "role_id": "role"}
SECRET = "/api/v1/namespaces/flux-system/secrets/vault-approle"


class Place:
    """An environment whose cluster logs in by an AppRole; `provision` brings it what Vault has, if a plan shows it."""

    def __init__(self, outside: Outside, kubernetes: FakeKubernetes) -> None:
        self.outside, self.kubernetes = outside, kubernetes
        self.env: Environment = outside.environment(vault__auth=AUTH)
        outside.vault.secret_ids["first"] = "the first secret ID"
        account = outside.vault.held(PROVISIONING)
        outside.vault.put(PROVISIONING, **{**account, "vault_secret_id": "the first secret ID"})
        ensure_entries(self.env)
        self.written: str | None = None
        self.provision()

    @property
    def in_vault(self) -> str:
        return self.outside.vault.held(PROVISIONING)["vault_secret_id"]

    @property
    def in_cluster(self) -> str:
        return b64decode(self.kubernetes.objects[SECRET]["data"]["secret-id"]).decode()

    @property
    def number(self) -> str:
        return self.outside.vault.held(STATE).get("secrets_revision", "1")

    def provision(self) -> None:
        """Write the Secret, as OpenTofu does when it is given another number than before."""
        if self.number != self.written:
            self.written = self.number
            self.kubernetes.put_secret("flux-system", "vault-approle", secret_id=self.in_vault)

    def valid(self) -> list[str]:
        return [*self.outside.vault.secret_ids.values()]


@pytest.fixture
def place(outside: Outside, kubernetes: FakeKubernetes) -> Place:
    return Place(outside, kubernetes)


def test_both_are_valid_until_the_cluster_has_the_new_one(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        rotate_approle(place.env)
        assert "provision sandbox (services), then run this again" in capsys.readouterr().out
        assert place.in_cluster == "the first secret ID"
        assert place.valid() == ["the first secret ID", place.in_vault]
    place.provision()
    rotate_approle(place.env)
    assert place.valid() == [place.in_vault] == [place.in_cluster] != ["the first secret ID"]
    assert "the secret ID with accessor first is gone" in capsys.readouterr().out
    number = place.number
    place.provision()
    assert place.number == number, "no later plan shows it as drift"


CLEAN = 4
"""The changes of a rotation: a secret ID, Vault's entry, the number, the end of the old one."""


@pytest.mark.parametrize("number", range(1, CLEAN + 1))
def test_a_run_that_is_killed_after_any_change_is_finished_by_the_next(place: Place, runs: Runs, number: int) -> None:
    runs.killed_after = number
    for _ in range(5):
        runs(lambda: rotate_approle(place.env))
        assert place.in_cluster in place.valid(), "the cluster is not cut off"
        place.provision()
        if place.in_vault != "the first secret ID" and len(place.valid()) == 1:
            break
    assert place.valid() == [place.in_vault] == [place.in_cluster] != ["the first secret ID"]
    assert runs.changes >= CLEAN


def test_a_clean_rotation_is_as_many_changes_as_were_killed(place: Place, runs: Runs) -> None:
    runs(lambda: rotate_approle(place.env))
    place.provision()
    runs(lambda: rotate_approle(place.env))
    assert (runs.changes, len(place.valid())) == (CLEAN, 1)


@pytest.mark.parametrize("what", ["secret-id", "secret-id-accessor/destroy"])
def test_an_answer_that_is_lost_leaves_one_more_secret_id_at_most(place: Place, slept: list[float], what: str) -> None:
    path = f"/v1/auth/approle/role/episodic-sandbox-external-secrets/{what}"
    place.outside.vault.faults.append(Fault("POST", path, lost=True))
    for _ in range(3):
        with_answer(place)
    assert place.valid() == [place.in_vault]


def with_answer(place: Place) -> None:
    """Run the next step; what Vault knows no more when it is asked again is as good as gone."""
    if place.in_vault == "the first secret ID" or len(place.valid()) > 1:
        rotate_approle(place.env)
        place.provision()


def test_one_that_is_valid_no_more_is_replaced_and_ends_no_other(place: Place) -> None:
    place.outside.vault.secret_ids = {"other": "of somebody"}
    rotate_approle(place.env)
    assert place.valid() == ["of somebody", place.in_vault]


def test_another_login_has_none(outside: Outside) -> None:
    sentence = r"environments/sandbox.yaml: vault.auth.method is 'jwt', which has no secret ID; only an approle has one"
    with pytest.raises(ConfigError, match=sentence):
        rotate_approle(outside.environment())


def test_without_a_cluster_nobody_has_to_be_waited_for(outside: Outside) -> None:
    env: Any = outside.environment(vault__auth=AUTH)
    outside.vault.secret_ids["first"] = "the first secret ID"
    outside.vault.put(PROVISIONING, **outside.vault.held(PROVISIONING), vault_secret_id="the first secret ID")
    ensure_entries(env)
    rotate_approle(env)
    rotate_approle(env)
    assert [*outside.vault.secret_ids.values()] == [outside.vault.held(PROVISIONING)["vault_secret_id"]]

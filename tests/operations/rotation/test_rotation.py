"""A new secret for an old one: nobody is cut off, whatever ends a run, and the next one goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.bootstrap.bootstrap import Bootstrap
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning.provision import Provisioner
from operations.provisioning.stage import Stage
from operations.rotation import deploy_key, spaces_key
from operations.secrets.credentials import secrets_of
from operations.secrets.entries import ensure_entries, public_half
from operations.secrets.spaces_keys import ensure_keys
from tests.fakes.server import Fault
from tests.operations.conftest import Outside
from tests.operations.rotation.conftest import Runs

BACKUPS, FLUX = "episodic/sandbox/platform/backups", "episodic/sandbox/flux"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Clock:
    """A time that stands still until it is moved."""

    now_ = NOW

    @classmethod
    def now(cls, _zone: Any) -> datetime:
        return cls.now_

    fromisoformat = datetime.fromisoformat


@pytest.fixture
def keys(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The keys at DigitalOcean, each made when the test's clock says."""
    monkeypatch.setattr(spaces_key, "datetime", Clock)
    monkeypatch.setattr(Clock, "now_", NOW)
    monkeypatch.setattr("tests.fakes.digitalocean.NOW", f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
    env = outside.environment()
    ensure_keys(env, secrets_of(env, Purpose.BOOTSTRAP), DigitalOcean(outside.digitalocean.token), dry_run=False)
    return outside.digitalocean.spaces_keys


def test_a_spaces_key_is_replaced_at_once_and_ends_once_all_have_read_the_new_one(
    outside: Outside, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    env, old = outside.environment(), outside.vault.held(BACKUPS)["access_key_id"]
    spaces_key.rotate_spaces_key(env, "backups")
    new = outside.vault.held(BACKUPS)["access_key_id"]
    assert new != old
    assert {old, new} <= keys.keys(), "who has read the old one goes on"
    for minutes in (0, 119):
        monkeypatch.setattr(Clock, "now_", NOW + timedelta(minutes=minutes))
        spaces_key.rotate_spaces_key(env, "backups")
        assert (outside.vault.held(BACKUPS)["access_key_id"], old in keys) == (new, True)
    monkeypatch.setattr(Clock, "now_", NOW + timedelta(minutes=120))
    spaces_key.rotate_spaces_key(env, "backups")
    assert (outside.vault.held(BACKUPS)["access_key_id"], old in keys, new in keys) == (new, False, True)
    assert len(keys) == 3, "no other purpose's is touched"


def test_what_a_killed_run_left_is_no_key_that_somebody_has(
    outside: Outside, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    env, held = outside.environment(), outside.vault.held(BACKUPS)["access_key_id"]
    outside.vault.faults.append(Fault("POST", f"/v1/{BACKUPS.replace('/', '/data/', 1)}", status=403))
    with pytest.raises(ConfigError, match="forbids"):
        spaces_key.rotate_spaces_key(env, "backups")
    assert (outside.vault.held(BACKUPS)["access_key_id"], len(keys)) == (held, 4)
    monkeypatch.setattr(Clock, "now_", NOW + timedelta(hours=3))
    spaces_key.rotate_spaces_key(env, "backups")
    assert (outside.vault.held(BACKUPS)["access_key_id"], len(keys), held in keys) == (held, 3, True)
    spaces_key.rotate_spaces_key(env, "backups")
    assert outside.vault.held(BACKUPS)["access_key_id"] != held


def test_a_key_that_is_none_is_told(outside: Outside, keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="unknown key 'backup', known are state, backups, plan"):
        spaces_key.rotate_spaces_key(outside.environment(), "backup")
    del keys[outside.vault.held(BACKUPS)["access_key_id"]]
    keys["OTHER"] = {"name": "episodic-sandbox-backups", "access_key": "OTHER"}
    with pytest.raises(ConfigError, match="DigitalOcean has no such key; run `bootstrap secrets`"):
        spaces_key.rotate_spaces_key(outside.environment(), "backups")


class Cluster:
    """What the cluster has of the deploy key: its public half."""

    def __init__(self, key: str | None) -> None:
        self.key = key

    def __call__(self, _env: Environment, _secrets: object) -> str | None:
        return self.key


@pytest.fixture
def cluster(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster with the key that Vault and GitHub have."""
    outside.github.add_repository("episodic-gitops")
    ensure_entries(outside.environment())
    found = Cluster(vault_key(outside))
    monkeypatch.setattr(deploy_key, "_provisioned", found)
    assert found.key is not None
    add(outside, found.key)
    return found


def vault_key(outside: Outside) -> str:
    return public_half(outside.vault.held(FLUX)["deploy_key"], "")


def add(outside: Outside, key: str, title: str = "flux-sandbox") -> None:
    repository = outside.github.repositories["episodic-gitops"]
    number = len(repository["keys"]) + 900
    repository["keys"][number] = {"id": number, "title": title, "key": key, "read_only": True}


def on_github(outside: Outside) -> set[str]:
    return {key["key"] for key in outside.github.repositories["episodic-gitops"]["keys"].values()}


def test_github_knows_both_keys_until_the_cluster_has_the_new_one(outside: Outside, cluster: Cluster) -> None:
    env, old = outside.environment(), vault_key(outside)
    add(outside, "ssh-ed25519 AAAA", "flux-staging")
    deploy_key.rotate_deploy_key(env)
    new = vault_key(outside)
    assert new != old
    for _ in range(2):
        assert on_github(outside) == {old, new, "ssh-ed25519 AAAA"}
        deploy_key.rotate_deploy_key(env)
        assert vault_key(outside) == new, "it waits for the cluster"
    cluster.key = new
    deploy_key.rotate_deploy_key(env)
    assert on_github(outside) == {new, "ssh-ed25519 AAAA"}
    assert outside.vault.held(FLUX).keys() == {"deploy_key", "age_key"}


def test_each_plan_after_a_rotation_is_given_the_same_number_and_before_it_none(
    outside: Outside, cluster: Cluster
) -> None:
    env = outside.environment()
    outside.synthesise(env)
    outside.digitalocean.add_cluster(env.cluster.name)

    def number(purpose: Purpose) -> str | None:
        Provisioner(env, purpose).plan(Stage.SERVICES, outside.folder / "plans", destroy=False, prepare=False)
        return outside.tofu.calls("plan")[-1].environ.get("TF_VAR_secrets_revision")

    assert number(Purpose.PLAN) is None
    deploy_key.rotate_deploy_key(env)
    first = number(Purpose.PLAN)
    assert first is not None
    assert first.isdecimal()
    cluster.key = vault_key(outside)
    deploy_key.rotate_deploy_key(env)
    assert {number(Purpose.PLAN), number(Purpose.DRIFT)} == {first}, "no later plan shows it as drift"
    deploy_key.rotate_deploy_key(env)
    assert number(Purpose.PLAN) not in {first, None}


@pytest.mark.parametrize("failing", ["flux", "provisioning/state"])
def test_a_run_that_ends_anywhere_is_finished_by_the_next(outside: Outside, cluster: Cluster, failing: str) -> None:
    env, old = outside.environment(), vault_key(outside)
    outside.vault.faults.append(Fault("POST", f"/v1/episodic/data/sandbox/{failing}", status=403))
    with pytest.raises(ConfigError, match="forbids"):
        deploy_key.rotate_deploy_key(env)
    assert old in on_github(outside), "the cluster has it"
    deploy_key.rotate_deploy_key(env)
    new = vault_key(outside)
    assert (old != new, on_github(outside)) == (True, {old, new}), "what the killed run made is gone"
    cluster.key = new
    outside.vault.faults.append(Fault("POST", f"/v1/{FLUX.replace('/', '/data/', 1)}", status=403))
    with pytest.raises(ConfigError, match="forbids"):
        deploy_key.rotate_deploy_key(env)
    deploy_key.rotate_deploy_key(env)
    assert (on_github(outside), vault_key(outside)) == ({new}, new)


@pytest.mark.parametrize("number", range(1, 6))
def test_a_deploy_key_is_rotated_whatever_change_a_run_is_killed_after(
    outside: Outside, cluster: Cluster, runs: Runs, number: int
) -> None:
    env, old, written = outside.environment(), vault_key(outside), ""
    runs.killed_after = number
    for _ in range(5):
        runs(lambda: deploy_key.rotate_deploy_key(env))
        assert cluster.key in on_github(outside), "the cluster is not cut off"
        revision = outside.vault.held("episodic/sandbox/provisioning/state").get("secrets_revision", "")
        if revision != written:
            cluster.key, written = vault_key(outside), revision
        if vault_key(outside) != old and "former_deploy_key" not in outside.vault.held(FLUX):
            break
    assert {vault_key(outside)} == on_github(outside) == {cluster.key} != {old}
    assert runs.changes >= 5


@pytest.mark.parametrize("number", range(1, 4))
def test_a_spaces_key_is_rotated_whatever_change_a_run_is_killed_after(
    outside: Outside, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch, runs: Runs, number: int
) -> None:
    env, old = outside.environment(), outside.vault.held(BACKUPS)["access_key_id"]
    runs.killed_after = number
    for hours in range(0, 15, 3):
        monkeypatch.setattr(Clock, "now_", NOW + timedelta(hours=hours))
        runs(lambda: spaces_key.rotate_spaces_key(env, "backups"))
        assert outside.vault.held(BACKUPS)["access_key_id"] in keys
        if outside.vault.held(BACKUPS)["access_key_id"] != old and len(keys) == 3:
            break
    assert (old in keys, len(keys)) == (False, 3)
    assert runs.changes >= 3


def test_opentofu_which_knows_one_key_does_not_run_meanwhile(outside: Outside, cluster: Cluster) -> None:
    env = outside.environment()
    outside.synthesise(env)
    deploy_key.rotate_deploy_key(env)
    Bootstrap([env]).secrets(dry_run=False)
    with pytest.raises(ConfigError, match="sandbox: the rotation of its deploy key is under way; finish it with"):
        Bootstrap([env]).settings(outside.folder / "plans", dry_run=False)
    assert outside.tofu.calls("plan") == []

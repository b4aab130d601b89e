"""Buckets, and the limited key of each purpose."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean
from operations.clients.spaces import Spaces
from operations.secrets.credentials import secrets_of
from operations.secrets.spaces_keys import bucket_keys, ensure_buckets, ensure_keys, other_keys, put_new_key
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY
from tests.operations.conftest import Outside

PLAN = "episodic/sandbox/provisioning/plan"


def ensure(outside: Outside, env: Environment, *, dry_run: bool = False) -> None:
    api = DigitalOcean(outside.digitalocean.token)
    ensure_keys(env, secrets_of(env, Purpose.BOOTSTRAP), api, dry_run=dry_run)


def test_each_bucket_has_a_key_and_what_plans_reads_them_all(outside: Outside) -> None:
    traces = {"backend": "tempo", "bucket": {"bucket": "episodic-sandbox-traces", "region": "lon1"}}
    env = outside.environment(platform__observability__traces=traces)
    ensure(outside, env)
    made = {key["name"]: key for key in outside.digitalocean.spaces_keys.values()}
    granted = {name: {item["bucket"]: item["permission"] for item in key["grants"]} for name, key in made.items()}
    purposes = ("state", "backups", "traces")
    assert granted == {
        **{f"episodic-sandbox-{purpose}": {f"episodic-sandbox-{purpose}": "readwrite"} for purpose in purposes},
        "episodic-sandbox-plan": {f"episodic-sandbox-{purpose}": "read" for purpose in purposes},
    }
    places = {"state": "provisioning/state", "plan": "provisioning/plan", "backups": "platform/backups"}
    for purpose, path in {**places, "traces": "platform/traces"}.items():
        key, held = made[f"episodic-sandbox-{purpose}"], outside.vault.held(f"episodic/sandbox/{path}")
        assert (held["access_key_id"], held["secret_access_key"]) == (key["access_key"], key["secret_key"])
    assert outside.vault.held(PLAN)["digitalocean_token"] == outside.digitalocean.token, "what else is there stays"


def test_a_bucket_of_an_application_has_a_key_of_its_own_that_ends_when_it_is_retired(
    outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket, path = "episodic-sandbox-shop-uploads", "episodic/sandbox/platform/apps/shop/buckets/uploads"

    def env(*, retired: bool = False, access: str = "readwrite") -> Environment:
        shop = {"owner": "a", "uses": {"bucket": {"uploads": {"access": access}}}, "retired": retired}
        return outside.environment(applications={"shop": shop})

    def keys() -> list[tuple[str, list[dict[str, str]]]]:
        made = outside.digitalocean.spaces_keys
        return [(name, key["grants"]) for name, key in made.items() if key["name"] == bucket]

    ensure(outside, env())
    held = outside.vault.held(path)
    assert keys() == [(held["access_key_id"], [{"bucket": bucket, "permission": "readwrite"}])]
    (plan,) = (key for key in outside.digitalocean.spaces_keys.values() if key["name"] == "episodic-sandbox-plan")
    assert {"bucket": bucket, "permission": "read"} in plan["grants"]
    ensure(outside, env(access="read"))
    assert keys() == [(held["access_key_id"], [{"bucket": bucket, "permission": "read"}])]
    capsys.readouterr()
    ensure(outside, env(retired=True), dry_run=True)
    assert len(keys()) == 1
    ensure(outside, env(retired=True))
    assert keys() == []
    gone = f"Spaces key {bucket}: its application is retired, so it"
    assert capsys.readouterr().out.splitlines() == [f"{gone} would be removed", f"{gone} is removed"]
    ensure(outside, env())
    assert [name for name, _ in keys()] == [outside.vault.held(path)["access_key_id"]]


def test_keys_are_made_once_and_their_grants_follow_the_buckets(
    outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    env = outside.environment()
    ensure(outside, env, dry_run=True)
    assert (outside.digitalocean.spaces_keys, outside.vault.writes) == ({}, [])
    assert "sandbox/platform/backups: key episodic-sandbox-backups would be made" in capsys.readouterr().out
    ensure(outside, env)
    capsys.readouterr()
    before = len(outside.digitalocean.writes)
    ensure(outside, env)
    assert (len(outside.digitalocean.writes), capsys.readouterr().out) == (before, "")
    (plan,) = (key for key in outside.digitalocean.spaces_keys.values() if key["name"] == "episodic-sandbox-plan")
    plan["grants"] = plan["grants"][:1]
    ensure(outside, env, dry_run=True)
    assert len(plan["grants"]) == 1
    ensure(outside, env)
    assert len(plan["grants"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "Spaces key episodic-sandbox-plan: its grants would be corrected",
        "Spaces key episodic-sandbox-plan: its grants corrected",
    ]


def test_a_key_that_digitalocean_has_no_more_is_made_anew(outside: Outside) -> None:
    env = outside.environment()
    ensure(outside, env)
    old = outside.vault.held(PLAN)["access_key_id"]
    del outside.digitalocean.spaces_keys[old]
    ensure(outside, env)
    assert outside.vault.held(PLAN)["access_key_id"] in outside.digitalocean.spaces_keys.keys() - {old}


def test_of_two_runs_at_once_one_puts_its_key_and_the_other_takes_its_own_away(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = outside.environment()
    key, secrets, api = bucket_keys(env)["plan"], secrets_of(env, Purpose.BOOTSTRAP), DigitalOcean("do-token")
    post = api.post

    def slow(path: str, body: dict[str, object]) -> dict[str, object]:
        outside.vault.put(PLAN, access_key_id="theirs")
        return post(path, body)

    monkeypatch.setattr(api, "post", slow)
    with pytest.raises(ConfigError, match=f"Vault {PLAN}: was written by another run meanwhile; run this again"):
        put_new_key(key, secrets, api)
    assert outside.vault.held(PLAN) == {"access_key_id": "theirs"}
    assert outside.digitalocean.spaces_keys == {}


def test_other_keys_are_those_of_this_name_that_vault_does_not_hold(outside: Outside) -> None:
    env = outside.environment()
    key, secrets, api = bucket_keys(env)["plan"], secrets_of(env, Purpose.BOOTSTRAP), DigitalOcean("do-token")
    put_new_key(key, secrets, api)
    put_new_key(bucket_keys(env)["state"], secrets, api)
    first = outside.vault.held(PLAN)["access_key_id"]
    assert [*other_keys(key, secrets, api)] == []
    put_new_key(key, secrets, api)
    assert [item["access_key"] for item in other_keys(key, secrets, api)] == [first]
    outside.vault.put(PLAN, digitalocean_token="x")
    assert [*other_keys(key, secrets, api)] == [], "without one in Vault none is superfluous"


def test_what_was_made_and_never_known_is_removed_with_the_first_key_that_is(outside: Outside) -> None:
    env, keys = outside.environment(), outside.digitalocean.spaces_keys
    name = bucket_keys(env)["plan"].name
    outside.vault.put(PLAN, digitalocean_token=outside.digitalocean.token)
    keys["LOST"], keys["MINE"] = {"name": name, "access_key": "LOST"}, {"name": "mine", "access_key": "MINE"}
    ensure(outside, env)
    assert "LOST" not in keys
    assert "MINE" in keys
    keys["FORMER"] = {"name": name, "access_key": "FORMER"}
    ensure(outside, env)
    assert "FORMER" in keys, "Vault holds one: this one may be in use still"


def test_buckets_are_made_once(outside: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    env, spaces = outside.environment(), Spaces(ACCESS_KEY, SECRET_KEY)
    ensure_buckets(env, spaces, dry_run=True)
    assert outside.spaces.buckets() == []
    for _ in range(2):
        ensure_buckets(env, spaces, dry_run=False)
    names = ["episodic-sandbox-backups", "episodic-sandbox-state"]
    assert outside.spaces.buckets() == names
    assert sorted(capsys.readouterr().out.splitlines()) == [
        line for name in names for line in (f"bucket {name}: made", f"bucket {name}: would be made")
    ]

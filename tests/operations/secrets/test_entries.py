"""What Vault has to hold."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from operations.secrets.entries import (
    age_keys,
    age_recipient,
    brought,
    ensure_entries,
    makers,
    missing_entries,
    private_deploy_key,
    public_deploy_key,
    public_half,
)
from operations.secrets.spaces_keys import bucket_keys
from tests.operations.conftest import Outside
from tests.support import environment, everything

AGE_KEY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


def test_every_entry_that_the_cluster_reads_is_made_brought_or_published() -> None:
    env = everything()
    read = {
        (data["remoteRef"]["key"], data["remoteRef"]["property"])
        for layer in env.layers
        for item in layer.objects
        if isinstance(item, dict) and item["kind"] == "ExternalSecret"
        for data in item["spec"]["data"]
    }
    known = {
        (path, name)
        for entries in (makers(env), dict(brought(env)))
        for path, names in entries.items()
        for name in names
    }
    published = {path for path, _ in read - known}
    assert published == {key.path for key in bucket_keys(env).values() if key.path.startswith(env.vault.kv.platform)}
    assert published == {f"{env.vault.kv.platform}/backups", f"{env.vault.kv.platform}/traces"}


def test_a_person_brings_nothing_that_can_be_made() -> None:
    made = makers(environment())
    assert dict(brought(environment())) == {
        "sandbox/provisioning": ("digitalocean_token", "spaces_access_key_id", "spaces_secret_access_key"),
        "sandbox/provisioning/plan": ("digitalocean_token",),
        "sandbox/platform/digitalocean-dns": ("token",),
    }
    assert set(made["sandbox/flux"]) == {"deploy_key", "age_key"}
    assert set(made["sandbox/provisioning/state"]) == {"state_passphrase"}


def test_the_key_of_a_bucket_elsewhere_is_brought() -> None:
    elsewhere = environment(backups__address="https://s3.example.org", backups__region="eu-central-1")
    for env, keys in ((environment(), set[str]()), (elsewhere, {"access_key_id", "secret_access_key"})):
        assert {name for path, names in brought(env) for name in names if path.endswith("/backups")} == keys


def test_an_approle_needs_its_secret_id() -> None:
    approle = {"method": "approle", "mount": "approle", "role_id": "role"}
    assert "vault_secret_id" in dict(brought(environment(vault__auth=approle)))["sandbox/provisioning"]


def test_a_deploy_key_that_is_none_is_told_without_its_text() -> None:
    with pytest.raises(ConfigError) as told:
        public_half("hunter2-hunter2", "episodic/sandbox/flux")
    assert "Vault episodic/sandbox/flux: deploy_key: is no OpenSSH private key" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_an_age_key_may_have_the_comments_of_age_keygen() -> None:
    bare = age_recipient(AGE_KEY)
    assert bare.startswith("age1")
    assert age_keys(f"# created: 2026\n# public key: {bare}\n{AGE_KEY}\n", "here") == [AGE_KEY]
    with pytest.raises(ConfigError, match="here: is no age key; make one with age-keygen"):
        age_keys("AGE-SECRET-KEY-1", "here")


def test_what_would_be_made_is_what_is_made_and_only_once(outside: Outside) -> None:
    env = outside.environment()
    lacking = missing_entries(env)
    assert outside.vault.writes == []
    entries = ensure_entries(env)
    assert {path: set(names) for path, names in entries.items()} == {
        path: set(names) for path, names in lacking.items()
    }
    assert set(entries["sandbox/flux"]) == {"age_key", "deploy_key"}
    assert "sandbox/provisioning/state" not in entries, "it holds its passphrase already"
    before = len(outside.vault.writes)
    assert (ensure_entries(env), missing_entries(env)) == ({}, {})
    assert len(outside.vault.writes) == before


def test_nothing_is_made_while_a_person_has_to_bring_something(outside: Outside) -> None:
    outside.vault.put("episodic/sandbox/platform/digitalocean-dns", other="x")
    for look in (missing_entries, ensure_entries):
        with pytest.raises(ConfigError, match="Vault episodic/sandbox/platform/digitalocean-dns: token: is missing"):
            look(outside.environment())
    assert outside.vault.writes == []


def test_what_is_made_can_be_used(outside: Outside) -> None:
    env = outside.environment()
    ensure_entries(env)
    flux = outside.vault.held("episodic/sandbox/flux")
    assert private_deploy_key(env, Purpose.APPLY) == flux["deploy_key"]
    assert flux["deploy_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert public_deploy_key(env) == public_half(flux["deploy_key"], "here")
    assert public_deploy_key(env).startswith("ssh-ed25519 ")
    assert age_recipient(flux["age_key"]).startswith("age1")


def test_every_environment_has_keys_and_passwords_of_its_own(outside: Outside) -> None:
    for name in ("sandbox", "staging"):
        outside.vault.put(f"episodic/{name}/provisioning/state", **outside.state_key)
        ensure_entries(outside.environment(name))
    for path in ("flux", "provisioning/state"):
        first, second = (outside.vault.held(f"episodic/{name}/{path}") for name in ("sandbox", "staging"))
        assert first.keys() == second.keys()
        own = first.keys() - outside.state_key.keys()
        assert all(first[name] != second[name] for name in own)
        assert all(len(first[name]) >= 43 for name in own)


def test_services_get_a_user_name_and_a_password(outside: Outside) -> None:
    env = outside.environment()
    (path,) = (
        path for path, names in makers(env).items() if set(names) == {"username", "password"} and "grafana" in path
    )
    ensure_entries(env)
    entry = outside.vault.held(f"episodic/{path}")
    assert entry["username"] == "admin"
    assert len(entry["password"]) == 43


def test_a_deploy_key_is_asked_for_where_there_is_none(outside: Outside) -> None:
    sentence = "Vault episodic/sandbox/flux: deploy_key: is missing; run `bin/operations bootstrap secrets`"
    with pytest.raises(ConfigError, match=sentence):
        public_deploy_key(outside.environment())


def test_sealed_secrets_are_for_the_key_that_the_cluster_has(outside: Outside) -> None:
    other = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqs3290gq"
    outside.vault.put("episodic/sandbox/flux", age_key=AGE_KEY)
    own = age_recipient(AGE_KEY)
    ensure_entries(outside.environment().model_copy(update={"sops_recipient": own}))
    sentence = "age_key: is not the private half of sops_recipient in environments/sandbox.yaml"
    with pytest.raises(ConfigError, match=sentence):
        ensure_entries(outside.environment().model_copy(update={"sops_recipient": other}))


def test_a_token_of_influxdb_is_made_and_another_token_is_not() -> None:
    made = makers(everything())
    assert any("token" in names for path, names in made.items() if path.endswith("/influxdb"))
    assert not any("token" in names for path, names in made.items() if not path.endswith("/influxdb"))
    assert any(names == ("token",) for path, names in brought(everything()) if path.endswith("/digitalocean-dns"))

"""What Vault has to hold."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from operations.secrets.entries import age_recipient, public_half, wanted_entries
from tests.support import environment, everything

AGE_KEY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


def test_every_entry_that_the_cluster_reads_is_made_brought_or_published() -> None:
    env = everything()
    made, brought = wanted_entries(env)
    read = {
        (data["remoteRef"]["key"], data["remoteRef"]["property"])
        for layer in env.layers
        for item in layer.objects
        if isinstance(item, dict) and item["kind"] == "ExternalSecret"
        for data in item["spec"]["data"]
    }
    known = {(path, name) for entries in (made, brought) for path, names in entries.items() for name in names}
    published = {path for path, _ in read - known}
    assert published == {f"{env.vault.kv.platform}/backups", f"{env.vault.kv.platform}/traces"}


def test_a_person_brings_nothing_that_can_be_made() -> None:
    made, brought = wanted_entries(environment())
    assert brought == {
        "sandbox/provisioning": ("digitalocean_token", "spaces_access_key_id", "spaces_secret_access_key"),
        "sandbox/platform/digitalocean-dns": ("token",),
    }
    assert set(made["sandbox/flux"]) == {"deploy_key", "age_key"}
    assert set(made["sandbox/provisioning"]) == {"state_passphrase"}


def test_an_approle_needs_its_secret_id() -> None:
    approle = {"method": "approle", "mount": "approle", "role_id": "role"}
    _, brought = wanted_entries(environment(vault__auth=approle))
    assert "vault_secret_id" in brought["sandbox/provisioning"]


def test_a_deploy_key_that_is_none_is_told_without_its_text() -> None:
    with pytest.raises(ConfigError) as told:
        public_half("hunter2-hunter2", "episodic/sandbox/flux")
    assert "Vault episodic/sandbox/flux: deploy_key: is no OpenSSH private key" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_an_age_key_may_have_the_comments_of_age_keygen() -> None:
    bare = age_recipient(AGE_KEY, "here")
    assert bare.startswith("age1")
    assert age_recipient(f"# created: 2026\n# public key: {bare}\n{AGE_KEY}\n", "here") == bare
    with pytest.raises(ConfigError, match="here: is no age key; make one with age-keygen"):
        age_recipient("AGE-SECRET-KEY-1", "here")

"""How each purpose reaches GitHub: by a token of its app's, or of a person's."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from operations.secrets.gitops_client import PERMISSIONS, gitops_client
from tests.operations.conftest import Outside

GITOPS = "episodic/gitops/provisioning"
PURPOSES = tuple(PERMISSIONS)


def pem(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.fixture
def key(outside: Outside) -> RSAPrivateKey:
    """The key of an app, number 7, that the organisation has installed."""
    made = generate_private_key(65537, 2048)
    outside.github.apps["7"] = made.public_key()
    return made


def path(purpose: Purpose) -> str:
    return GITOPS if purpose is Purpose.BOOTSTRAP else f"{GITOPS}/{purpose}"


@pytest.mark.parametrize("purpose", PURPOSES)
def test_an_app_makes_a_token_for_the_purpose_that_may_no_more_than_that_needs(
    outside: Outside,
    key: RSAPrivateKey,
    purpose: Purpose,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    outside.vault.put(path(purpose), github_app_id="7", github_app_key=pem(key), github_token="a person's")
    github = gitops_client(outside.environment().gitops, purpose)
    assert outside.github.installed == {github.token: PERMISSIONS[purpose]}
    assert github.organisation("df12-test").login == "df12-test", "the token is one that GitHub takes"
    assert f"::add-mask::{github.token}" in capsys.readouterr().out


@pytest.mark.parametrize("purpose", PURPOSES)
def test_without_an_app_a_persons_token_is_used(outside: Outside, purpose: Purpose) -> None:
    assert gitops_client(outside.environment().gitops, purpose).token == outside.github.token
    outside.vault.put(path(purpose), other="x")
    with pytest.raises(ConfigError, match=f"Vault {path(purpose)}: github_token: is missing; add it"):
        gitops_client(outside.environment().gitops, purpose)


def test_only_the_bootstrap_may_administer_and_what_watches_may_only_read() -> None:
    administering = {purpose for purpose, may in PERMISSIONS.items() if may.get("administration") == "write"}
    assert administering == {Purpose.BOOTSTRAP, Purpose.INTEGRATION}, "tests make and remove a repository"
    assert set(PERMISSIONS[Purpose.DRIFT].values()) == {"read"}
    assert {name for name, may in PERMISSIONS[Purpose.PROMOTE].items() if may == "write"} == {
        "contents",
        "pull_requests",
    }


def test_an_app_that_is_not_as_vault_says_is_told_without_its_key(outside: Outside, key: RSAPrivateKey) -> None:
    gitops = outside.environment().gitops
    outside.vault.put(GITOPS, github_app_id="7")
    with pytest.raises(ConfigError, match=f"Vault {GITOPS}: github_app_key: is missing; add it"):
        gitops_client(gitops, Purpose.BOOTSTRAP)
    outside.vault.put(GITOPS, github_app_id="7", github_app_key="hunter2-hunter2")
    with pytest.raises(ConfigError) as told:
        gitops_client(gitops, Purpose.BOOTSTRAP)
    assert str(told.value).startswith("GitHub's app 7: github_app_key in Vault: is no private key in PEM; put the file")
    assert "hunter2" not in str(told.value)
    outside.vault.put(GITOPS, github_app_id="7", github_app_key=pem(generate_private_key(65537, 2048)))
    with pytest.raises(ConfigError, match="refuses the token; correct github_token in Vault"):
        gitops_client(gitops, Purpose.BOOTSTRAP)
    outside.vault.put(GITOPS, github_app_id="7", github_app_key=pem(key))
    outside.github.organisation = "another"
    with pytest.raises(ConfigError, match="no app 7 in df12-test, or the token may not see it; install"):
        gitops_client(gitops, Purpose.BOOTSTRAP)

"""What Vault has to hold for OpenTofu, and that nobody sees it."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from operations.secrets.credentials import Credentials, GitOpsCredentials, credentials_of, missing, secrets_of
from operations.secrets.gitops_client import gitops_client, own_client
from tests.operations.conftest import PASSPHRASE, Outside

PATH = "episodic/sandbox/provisioning"


def test_credentials_are_what_the_entry_holds_and_are_not_printed(outside: Outside) -> None:
    credentials = credentials_of(outside.environment())
    assert credentials == Credentials(**outside.account, state_passphrase=PASSPHRASE)
    assert repr(credentials) == "Credentials()"
    gitops = GitOpsCredentials(**outside.account, state_passphrase=PASSPHRASE, github_token="t")
    assert repr(gitops) == "GitOpsCredentials()"


def test_every_property_that_is_missing_is_named_at_once(outside: Outside) -> None:
    outside.vault.put(PATH, spaces_access_key_id="id", state_passphrase="short")
    with pytest.raises(ConfigError) as told:
        credentials_of(outside.environment())
    where = "Vault episodic/sandbox/provisioning"
    assert told.value.problems == (
        f"{where}: digitalocean_token: is missing; add it (docs/how-to/bootstrap.md)",
        f"{where}: spaces_secret_access_key: is missing; add it (docs/how-to/bootstrap.md)",
        f"{where}: state_passphrase: must have 16 characters or more; replace it",
    )


def test_a_passphrase_that_is_missing_is_not_too_short_as_well(outside: Outside) -> None:
    outside.vault.put(PATH, **outside.account)
    with pytest.raises(ConfigError) as told:
        credentials_of(outside.environment())
    (problem,) = told.value.problems
    assert problem.startswith("Vault episodic/sandbox/provisioning: state_passphrase: is missing; add it")


@pytest.mark.parametrize(("length", "refused"), [(15, True), (16, False)])
def test_a_passphrase_is_as_long_as_opentofu_needs_it(outside: Outside, length: int, refused: bool) -> None:
    outside.vault.put(PATH, state_passphrase="x" * length, **outside.account)
    env = outside.environment()
    if refused:
        with pytest.raises(ConfigError, match="must have 16 characters or more"):
            credentials_of(env)
    else:
        assert credentials_of(env).state_passphrase == "x" * length


def test_what_vault_holds_goes_before_what_is_used_instead(outside: Outside) -> None:
    secrets, path = secrets_of(outside.environment()), "sandbox/provisioning"
    assert Credentials.read(secrets, path, {"state_passphrase": "i" * 16}).state_passphrase == PASSPHRASE
    outside.vault.put(PATH, **outside.account)
    assert Credentials.read(secrets, path, {"state_passphrase": "i" * 16}).state_passphrase == "i" * 16


def test_an_empty_property_is_a_missing_one(outside: Outside) -> None:
    outside.vault.put("episodic/x", there="value", empty="")
    problems = missing(secrets_of(outside.environment()), "x", ["there", "empty", "gone"])
    assert [problem.split(": ")[1] for problem in problems] == ["empty", "gone"]


def test_the_same_key_is_given_under_every_name_that_somebody_reads() -> None:
    credentials = GitOpsCredentials("do", "id", "secret", "passphrase", "gh")
    assert credentials.variables() == {
        "DIGITALOCEAN_TOKEN": "do",
        "SPACES_ACCESS_KEY_ID": "id",
        "SPACES_SECRET_ACCESS_KEY": "secret",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "TF_VAR_state_passphrase": "passphrase",
        "GITHUB_TOKEN": "gh",
    }
    assert "GITHUB_TOKEN" not in Credentials("do", "id", "secret", "passphrase").variables()


def test_what_is_read_is_masked_in_a_jobs_log(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    credentials = credentials_of(outside.environment())
    masked = capsys.readouterr().out.splitlines()
    values = (credentials.digitalocean_token, credentials.spaces_secret_access_key, credentials.state_passphrase)
    assert {f"::add-mask::{value}" for value in values} <= set(masked)


def test_github_is_seen_with_the_token_of_the_gitops_repository(outside: Outside) -> None:
    gitops = outside.environment().gitops
    assert gitops_client(gitops).token == outside.github.token
    outside.vault.put("episodic/gitops/provisioning", other="x")
    with pytest.raises(ConfigError, match="Vault episodic/gitops/provisioning: github_token: is missing; add it"):
        gitops_client(gitops)


def test_a_jobs_own_token_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for token in (None, ""):
        if token is not None:
            monkeypatch.setenv("GITHUB_TOKEN", token)
        with pytest.raises(ConfigError, match="GITHUB_TOKEN: is not set; give the job its token"):
            own_client()
    monkeypatch.setenv("GITHUB_TOKEN", "own")
    assert own_client().token == "own"

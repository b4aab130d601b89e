"""What Vault has to hold for OpenTofu, and that nobody sees it."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from operations.secrets.credentials import (
    Credentials,
    credentials_of,
    gitops_credentials,
    integration_token,
    missing,
    secrets_of,
)
from operations.secrets.gitops_client import own_client
from tests.operations.conftest import PASSPHRASE, Outside

PATH = "episodic/sandbox/provisioning"
LOOKING = (Purpose.PLAN, Purpose.DRIFT)


def test_credentials_are_what_the_entries_hold_and_are_not_printed(outside: Outside) -> None:
    token = outside.digitalocean.token
    applying = credentials_of(outside.environment(), Purpose.APPLY)
    assert applying == Credentials(*[*outside.account.values(), PASSPHRASE, *outside.state_key.values()])
    assert repr(applying) == "Credentials()"
    for purpose in LOOKING:
        looking = credentials_of(outside.environment(), purpose)
        assert looking == Credentials(*[token, *outside.plan_key.values(), PASSPHRASE, *outside.state_key.values()])


def test_what_looks_does_not_even_ask_for_what_applies(outside: Outside) -> None:
    for purpose in LOOKING:
        credentials_of(outside.environment(), purpose)
    asked = {request.path.removeprefix("/v1/episodic/data/").partition("?")[0] for request in outside.vault.requests}
    assert asked == {"sandbox/provisioning/state", "sandbox/provisioning/plan"}


def test_every_property_that_is_missing_is_named_at_once(outside: Outside) -> None:
    outside.vault.put(PATH, spaces_access_key_id="id")
    outside.vault.put(f"{PATH}/state", state_passphrase="short", access_key_id="id")
    with pytest.raises(ConfigError) as told:
        credentials_of(outside.environment(), Purpose.APPLY)
    where, made = f"Vault {PATH}", "run `bin/operations bootstrap secrets` (docs/how-to/bootstrap.md)"
    assert told.value.problems == (
        f"{where}: digitalocean_token: is missing; add it (docs/how-to/bootstrap.md)",
        f"{where}: spaces_secret_access_key: is missing; add it (docs/how-to/bootstrap.md)",
        f"{where}/state: secret_access_key: is missing; {made}",
        f"{where}/state: state_passphrase: must have 16 characters or more; replace it",
    )


def test_a_passphrase_that_is_missing_is_not_too_short_as_well(outside: Outside) -> None:
    outside.vault.put(f"{PATH}/state", **outside.state_key)
    with pytest.raises(ConfigError) as told:
        credentials_of(outside.environment(), Purpose.PLAN)
    (problem,) = told.value.problems
    assert problem.startswith(f"Vault {PATH}/state: state_passphrase: is missing; run `bin/operations bootstrap")


@pytest.mark.parametrize(("length", "refused"), [(15, True), (16, False)])
def test_a_passphrase_is_as_long_as_opentofu_needs_it(outside: Outside, length: int, refused: bool) -> None:
    outside.vault.put(f"{PATH}/state", state_passphrase="x" * length, **outside.state_key)
    outside.vault.put(GITOPS, state_passphrase="x" * length, **outside.account)
    env, secrets = outside.environment(), secrets_of(outside.environment(), Purpose.BOOTSTRAP)
    if refused:
        with pytest.raises(ConfigError, match="must have 16 characters or more"):
            credentials_of(env, Purpose.APPLY)
        with pytest.raises(ConfigError, match="must have 16 characters or more"):
            gitops_credentials(secrets, "gitops/provisioning")
    else:
        assert credentials_of(env, Purpose.APPLY).state_passphrase == "x" * length
        assert gitops_credentials(secrets, "gitops/provisioning").state_passphrase == "x" * length


GITOPS = "episodic/gitops/provisioning"


def test_the_gitops_repository_has_one_entry_for_all(outside: Outside) -> None:
    secrets, path = secrets_of(outside.environment(), Purpose.BOOTSTRAP), "gitops/provisioning"
    account = [*outside.account.values()]
    instead = gitops_credentials(secrets, path, "i" * 16)
    assert instead == Credentials(*[*account, "i" * 16, *account[1:]])
    with pytest.raises(ConfigError, match=f"Vault {GITOPS}: state_passphrase: is missing"):
        gitops_credentials(secrets, path)
    outside.vault.put(GITOPS, state_passphrase=PASSPHRASE, **outside.account)
    assert gitops_credentials(secrets, path, "i" * 16).state_passphrase == PASSPHRASE


def test_tests_have_an_account_that_is_no_environments(outside: Outside) -> None:
    gitops = outside.environment().gitops
    with pytest.raises(ConfigError, match=f"Vault {GITOPS}/integration: digitalocean_token: is missing; add it"):
        integration_token(gitops)
    outside.vault.put(f"{GITOPS}/integration", digitalocean_token="of tests")
    assert integration_token(gitops) == "of tests"


def test_an_empty_property_is_a_missing_one(outside: Outside) -> None:
    outside.vault.put("episodic/x", there="value", empty="")
    problems = missing(secrets_of(outside.environment(), Purpose.APPLY), "x", ["there", "empty", "gone"])
    assert [problem.split(": ")[1] for problem in problems] == ["empty", "gone"]


def test_each_key_is_given_under_the_names_that_somebody_reads() -> None:
    assert Credentials("do", "id", "secret", "passphrase", "own id", "own secret").variables() == {
        "DIGITALOCEAN_TOKEN": "do",
        "SPACES_ACCESS_KEY_ID": "id",
        "SPACES_SECRET_ACCESS_KEY": "secret",
        "AWS_ACCESS_KEY_ID": "own id",
        "AWS_SECRET_ACCESS_KEY": "own secret",
        "TF_VAR_state_passphrase": "passphrase",
    }


def test_what_is_read_is_masked_in_a_jobs_log(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    found = credentials_of(outside.environment(), Purpose.APPLY)
    masked = capsys.readouterr().out.splitlines()
    values = (found.digitalocean_token, found.spaces_secret_access_key, found.state_passphrase)
    assert {f"::add-mask::{value}" for value in values} <= set(masked)


def test_a_jobs_own_token_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for token in (None, ""):
        if token is not None:
            monkeypatch.setenv("GITHUB_TOKEN", token)
        with pytest.raises(ConfigError, match="GITHUB_TOKEN: is not set; give the job its token"):
            own_client()
    monkeypatch.setenv("GITHUB_TOKEN", "own")
    assert own_client().token == "own"

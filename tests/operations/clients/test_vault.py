"""Entries of Vault: what is there is kept, two runs do not overwrite each other, and every failure is a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment.vault import VaultServer
from operations.clients import vault as client
from operations.clients.vault import Secrets, open_vault
from operations.secrets.entries import new_password
from tests.fakes.actions import FakeActions
from tests.fakes.server import Fault
from tests.fakes.vault import TOKEN, FakeVault

PATH = "episodic/sandbox/flux"
ASK_THE_OWNER = "run `bin/operations vault apply` with the token of Vault's owner"


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVault]:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with FakeVault() as fake:
        yield fake
        assert fake.refused == []


def server(fake: FakeVault, role: str = "episodic-sandbox") -> VaultServer:
    """Return where the fake is; the model takes no address without TLS."""
    real = VaultServer.model_validate({"address": "https://v.example", "ci": {"mount": "github", "role": role}})
    return real.model_copy(update={"address": fake.url})


def opened(fake: FakeVault) -> Secrets:
    return open_vault(server(fake), "episodic", Purpose.APPLY)


def test_an_entry_that_is_not_there_has_no_properties(vault: FakeVault) -> None:
    assert opened(vault).read("sandbox/flux") == {}


@pytest.mark.parametrize("namespace", [None, "admin/platform"])
def test_a_namespace_is_asked_for_where_there_is_one(vault: FakeVault, namespace: str | None) -> None:
    open_vault(server(vault).model_copy(update={"namespace": namespace}), "episodic", Purpose.APPLY).read(
        "sandbox/flux"
    )
    assert vault.namespaces == {namespace}


def test_only_what_is_missing_is_made(vault: FakeVault) -> None:
    vault.put(PATH, age_key="theirs")
    assert opened(vault).add("sandbox/flux", {"age_key": lambda: "ours", "deploy_key": lambda: "new"}) == (
        "deploy_key",
    )
    assert vault.held(PATH) == {"age_key": "theirs", "deploy_key": "new"}


def test_nothing_is_written_where_nothing_is_missing(vault: FakeVault) -> None:
    vault.put(PATH, age_key="theirs")
    assert opened(vault).add("sandbox/flux", {"age_key": lambda: "ours"}) == ()
    assert vault.writes == []


def test_every_write_says_which_version_it_read(vault: FakeVault) -> None:
    secrets = opened(vault)
    secrets.add("sandbox/flux", {"a": lambda: "1"})
    assert secrets.replace("sandbox/flux", {"b": "2"}, 1) is True
    assert [request.body["options"] for request in vault.writes] == [{"cas": 0}, {"cas": 1}]


def test_a_second_run_looks_again_and_keeps_what_the_first_one_wrote(vault: FakeVault) -> None:
    def slow() -> str:
        if PATH not in vault.entries:
            vault.put(PATH, deploy_key="theirs")
        return "ours"

    assert opened(vault).add("sandbox/flux", {"deploy_key": slow}) == ()
    assert vault.entries[PATH] == [{"deploy_key": "theirs"}]


def test_values_take_the_place_of_others_beside_what_is_there(vault: FakeVault) -> None:
    vault.put(PATH, other="kept", key="old")
    secrets = opened(vault)
    assert (secrets.version("sandbox/flux"), secrets.version("sandbox/none")) == (1, 0)
    assert secrets.replace("sandbox/flux", {"key": "new"}, 1) is True
    assert vault.entries[PATH][1:] == [{"other": "kept", "key": "new"}]


def test_a_write_whose_answer_was_lost_finds_itself(vault: FakeVault) -> None:
    vault.put(PATH, key="old")
    vault.faults.append(Fault("POST", "/v1/episodic/data/sandbox/flux", lost=True))
    assert opened(vault).replace("sandbox/flux", {"key": "new"}, 1) is True
    vault.faults.append(Fault("POST", "/v1/episodic/data/sandbox/flux", lost=True))
    opened(vault).remove("sandbox/flux", "key")
    assert vault.entries[PATH] == [{"key": "old"}, {"key": "new"}, {}]


def test_what_somebody_else_wrote_meanwhile_is_not_replaced(vault: FakeVault) -> None:
    vault.put(PATH, key="theirs")
    assert opened(vault).replace("sandbox/flux", {"key": "ours"}, 0) is False
    conflict = "check-and-set parameter did not match the current version"
    vault.faults.append(Fault("POST", "/v1/episodic/data/sandbox/flux", status=400, message=conflict))
    assert opened(vault).replace("sandbox/flux", {"key": "ours"}, 1) is False
    assert vault.entries[PATH] == [{"key": "theirs"}]


def test_a_write_whose_answer_is_lost_is_no_second_one(vault: FakeVault, slept: list[float]) -> None:
    secrets = opened(vault)
    vault.faults.append(Fault("POST", ".*", lost=True))
    assert secrets.add("sandbox/flux", {"deploy_key": new_password, "age_key": new_password}) == (
        "deploy_key",
        "age_key",
    )
    vault.faults.append(Fault("POST", ".*", lost=True))
    assert secrets.put("sandbox/flux", {"other": "x"}) is True
    assert [fault.times for fault in vault.faults] == [0, 0]
    assert [sorted(entry) for entry in vault.entries[PATH]] == [
        ["age_key", "deploy_key"],
        ["age_key", "deploy_key", "other"],
    ]
    assert vault.entries[PATH][0].items() <= vault.entries[PATH][1].items()


def test_a_race_that_goes_on_is_given_up(vault: FakeVault) -> None:
    secrets = opened(vault)
    conflict = "check-and-set parameter did not match the current version"
    vault.faults.append(Fault("POST", ".*", times=float("inf"), status=400, message=conflict))
    sentence = "Vault episodic/sandbox/flux: somebody else wrote it at each of 5 tries; run this again later"
    for change in (
        lambda: secrets.add("sandbox/flux", {"key": new_password}),
        lambda: secrets.put("sandbox/flux", {"key": "new"}),
    ):
        vault.requests.clear()
        with pytest.raises(ConfigError) as told:
            change()
        assert (str(told.value), len(vault.writes)) == (sentence, 5)


def test_what_else_an_entry_has_stays_as_it_is(vault: FakeVault) -> None:
    theirs = {"port": 5432, "tls": True, "options": {"a": [1, None]}, "spare": None}
    vault.put(PATH, **theirs)
    secrets = opened(vault)
    assert secrets.add("sandbox/flux", {"deploy_key": lambda: "new"}) == ("deploy_key",)
    assert vault.held(PATH) == {**theirs, "deploy_key": "new"}
    assert secrets.put("sandbox/flux", {"other": "x"}) is True
    assert vault.held(PATH) == {**theirs, "deploy_key": "new", "other": "x"}


def test_a_property_that_holds_nothing_is_missing(vault: FakeVault) -> None:
    vault.put(PATH, port=5432, spare=None)
    secrets = opened(vault)
    assert secrets.read("sandbox/flux") == {"port": "5432"}
    assert secrets.add("sandbox/flux", {"spare": lambda: "new", "port": lambda: "other"}) == ("spare",)
    assert vault.held(PATH) == {"port": 5432, "spare": "new"}


def test_a_vault_that_takes_a_request_and_says_nothing_is_told(
    vault: FakeVault, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.1)
    vault.faults.append(Fault("GET", ".*", times=9, silent=True))
    with pytest.raises(ConfigError, match=r"cannot be reached \(no answer\); check vault\.address"):
        opened(vault).read("sandbox/flux")


def test_a_day_is_not_waited(vault: FakeVault, slept: list[float]) -> None:
    vault.faults.append(Fault("GET", ".*", status=429, headers={"Retry-After": "86400"}))
    assert opened(vault).read("sandbox/flux") == {}
    assert slept == [60]


def test_a_login_whose_answer_is_lost_is_tried_again(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    vault.faults.append(Fault("POST", ".*/login", lost=True))
    with FakeActions() as actions:
        for name, value in actions.environment().items():
            monkeypatch.setenv(name, value)
        assert opened(vault).read("sandbox/flux") == {}


def test_an_address_for_tokens_that_does_not_answer_is_told_from_vault(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    with FakeActions() as actions:
        for name, value in actions.environment().items():
            monkeypatch.setenv(name, value)
        actions.faults.append(Fault("GET", ".*", times=9, cut=True))
        sentence = r"GitHub gives this job no OpenID Connect token \(no answer\); run the job again"
        with pytest.raises(ConfigError, match=sentence):
            opened(vault)


def test_every_value_that_is_read_or_written_is_masked(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    vault.put(PATH, age_key="theirs-of-old")
    opened(vault).add("sandbox/flux", {"deploy_key": lambda: "made-by-us"})
    masked = capsys.readouterr().out.splitlines()
    assert {f"::add-mask::{value}" for value in (TOKEN, "theirs-of-old", "made-by-us")} == set(masked)


def test_a_job_logs_in_once_with_the_token_that_github_signs(
    vault: FakeVault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    with FakeActions() as actions:
        for name, value in actions.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        for _ in range(2):
            opened(vault).read("sandbox/flux")
        open_vault(server(vault, "episodic-gitops"), "episodic", Purpose.DRIFT)
    assert vault.logins == [
        ("github", role, token)
        for role, token in zip(("episodic-sandbox-apply", "episodic-gitops-drift"), actions.tokens, strict=True)
    ]
    assert f"audience={vault.url.replace(':', '%3A').replace('/', '%2F')}" in actions.requests[0].path
    assert f"::add-mask::{actions.tokens[0]}" in capsys.readouterr().out


def test_a_job_that_may_not_ask_for_a_token_is_told(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeActions() as actions:
        for name, value in actions.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong")
        with pytest.raises(ConfigError, match=r"gives this job no OpenID Connect token \(401\); run the job again"):
            opened(vault)


def test_an_engineer_without_a_token_is_told(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    with pytest.raises(ConfigError, match="VAULT_TOKEN: is not set; log in to Vault"):
        opened(vault)


@pytest.mark.parametrize(
    ("status", "message", "sentence"),
    [
        (503, "Vault is sealed", "is sealed or not initialised; unseal it"),
        (
            403,
            "permission denied",
            f"forbids episodic/sandbox/flux to VAULT_TOKEN; {ASK_THE_OWNER}",
        ),
        (400, "odd", "refuses episodic/sandbox/flux: ['odd']"),
        (405, "odd", "failed at episodic/sandbox/flux: UnexpectedError; try again"),
    ],
)
def test_what_vault_answers_is_one_sentence(
    vault: FakeVault, slept: list[float], status: int, message: str, sentence: str
) -> None:
    secrets = opened(vault)
    vault.faults.append(Fault("GET", ".*", times=9, status=status, message=message))
    with pytest.raises(ConfigError) as told:
        secrets.read("sandbox/flux")
    assert str(told.value) == f"Vault at {vault.url} {sentence}"
    assert len(vault.requests) == 1


def test_the_role_of_a_job_is_named_if_it_may_not_read(vault: FakeVault, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = opened(vault)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.example")
    vault.faults.append(Fault("GET", ".*", status=403))
    with pytest.raises(ConfigError, match="forbids episodic/sandbox/flux to role episodic-sandbox-apply"):
        secrets.read("sandbox/flux")


def test_a_failed_write_is_told_and_not_taken_for_a_race(vault: FakeVault) -> None:
    secrets = opened(vault)
    vault.faults.append(Fault("POST", ".*", status=400, message="no versioned data"))
    with pytest.raises(ConfigError, match=r"refuses episodic/sandbox/flux: \['no versioned data'\]"):
        secrets.replace("sandbox/flux", {"key": "value"}, 0)


def test_a_vault_that_is_away_for_a_moment_is_asked_again(vault: FakeVault, slept: list[float]) -> None:
    vault.put(PATH, age_key="there")
    vault.faults.append(Fault("GET", ".*", times=2, status=502))
    assert opened(vault).read("sandbox/flux") == {"age_key": "there"}


def test_a_vault_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with FakeVault() as fake:
        gone = server(fake)
    fake._server.server_close()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ConfigError, match=r"cannot be reached \(no answer\); check vault\.address"):
        open_vault(gone, "episodic", Purpose.APPLY).read("sandbox/flux")

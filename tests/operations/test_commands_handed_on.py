"""Commands that hand on what they were asked for: to whom, and what a user is told by how they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import typer

import constructs_lib.environment
from constructs_lib.base.errors import DIFFERENT, ConfigError
from constructs_lib.environment import Environment
from operations.commands import app
from operations.recovery import change, rebuild, recover
from operations.recovery.recover import Step
from operations.rotation import age_key, in_cluster, passphrase
from operations.secrets import credentials, gitops_client
from operations.trying import down, kubectl, summary, up
from tests.support import environment

ENVIRONMENTS = (environment(), environment("staging"))
Asked = list[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constructs_lib.environment, "load_all", lambda: ENVIRONMENTS)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(arguments, prog_name="operations")
    return int(ended.value.code or 0)


def kept(asked: Asked, answer: object = None) -> Callable[..., Any]:
    """Return what keeps that it was asked, and of what."""

    def ask(*arguments: object, **options: object) -> object:
        asked.append((*arguments, *options.values()))
        return answer

    return ask


def secrets_of(env: Environment, purpose: str) -> tuple[str, str]:
    return env.name, purpose


def second(_first: object, other: object) -> object:
    return other


def holds(env: Environment) -> str:
    return f"the bucket of {env.name}"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What a recovery is asked for; it has a step that changes the file where `edits` is there."""
    made: Asked = []
    monkeypatch.setattr(credentials, "secrets_of", secrets_of)
    monkeypatch.setattr(in_cluster, "in_cluster", second)
    monkeypatch.setattr(rebuild, "bucket_holds", holds)
    for name in ("beside", "lost"):
        monkeypatch.setattr(recover, name, kept(made, Step("title", None, ("look at it",))))
    monkeypatch.setattr(gitops_client, "own_client", lambda: "client")
    return made


def test_what_is_recovered_has_a_name_and_a_time_only_where_one_is_said(asked: Asked) -> None:
    assert run("recover", "beside", "sandbox", "valkey", "main") == 0
    assert run("recover", "beside", "staging", "postgres", "main", "--as", "x", "--until", "now", "--finish") == 0
    assert run("recover", "lost", "staging", "--finish") == 0
    (env, wanted, there, finish), (_, second, _, second_finish), (lost_env, *lost_rest) = asked
    assert (env.name, wanted.kind.name, wanted[1:]) == ("sandbox", "valkey", ("main", "restored", None))
    assert (there, finish) == (("sandbox", "plan"), False)
    assert (second[1:], second_finish) == (("main", "x", "now"), True)
    assert (lost_env.name, lost_rest) == ("staging", [("staging", "plan"), "the bucket of staging", True])


@pytest.mark.parametrize("edits", [True, False])
@pytest.mark.parametrize("repository", ["", "df12-test/infrastructure"])
def test_a_step_changes_the_file_here_or_in_a_pull_request_or_nothing(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], edits: bool, repository: str
) -> None:
    written, proposed = Asked(), Asked()
    step = Step("Make it anew", kept(asked) if edits else None, ("look", "merge"))
    monkeypatch.setattr(recover, "lost", kept(asked, step))
    monkeypatch.setattr(change, "changed", kept(written))
    monkeypatch.setattr(change, "propose", kept(proposed))
    assert run("recover", "lost", "sandbox", "--repository", repository) == 0
    assert (len(written), len(proposed)) == (edits and not repository, edits and bool(repository))
    if proposed:
        ((client, name, proposal),) = proposed
        assert (client, name) == ("client", repository)
        assert proposal[:3] == ("sandbox", "Make it anew", "- look\n- merge")
    printed = capsys.readouterr()
    assert "look\nmerge\n" in printed.out
    assert ("one step further" in printed.out + printed.err) is edits


def test_the_states_of_an_environment_and_of_the_repository_have_passphrases_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rotated: Asked = []

    def place(kind: str) -> Callable[[Environment], tuple[str, str]]:
        def of(env: Environment) -> tuple[str, str]:
            return kind, env.name

        return of

    monkeypatch.setattr(passphrase, "gitops_place", place("repository"))
    monkeypatch.setattr(passphrase, "place_of", place("environment"))
    monkeypatch.setattr(passphrase, "rotate_passphrase", kept(rotated))
    assert run("rotate", "state-passphrase", "staging") == run("rotate", "state-passphrase", "gitops-repository") == 0
    assert rotated == [(("environment", "staging"),), (("repository", "sandbox"),)]


def test_an_age_key_is_one_environments_in_the_repository_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rotated: Asked = []
    monkeypatch.setattr(age_key, "rotate_age_key", kept(rotated))
    assert run("rotate", "age-key", "staging") == 0
    assert rotated == [(ENVIRONMENTS[1], ENVIRONMENTS)]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Whether a user who is asked says yes, and what came of it."""
    said: dict[str, Any] = {"agrees": False, "removed": Asked(), "brought": Asked()}

    def bring_up(context: str, agree: Callable[[str], bool]) -> object:
        if not agree("Go on?"):
            return None
        said["brought"].append((context,))
        return ENVIRONMENTS[0]

    def chosen(context: str | None) -> str:
        return context or "current"

    def same(context: str) -> str:
        return context

    def lines(_env: object, context: str) -> list[str]:
        return [f"reach it by {context}"]

    def confirm(_question: str) -> bool:
        return said["agrees"]

    monkeypatch.setattr(up, "chosen_context", chosen)
    monkeypatch.setattr(up, "bring_up", bring_up)
    monkeypatch.setattr(kubectl, "Kubectl", same)
    monkeypatch.setattr(down, "take_away", kept(said["removed"]))
    monkeypatch.setattr(summary, "lines", lines)
    monkeypatch.setattr(typer, "confirm", confirm)
    return said


@pytest.mark.parametrize(("agrees", "options", "code"), [(False, (), DIFFERENT), (True, (), 0), (False, ("--yes",), 0)])
def test_nothing_is_brought_or_removed_unless_somebody_agrees(
    tried: dict[str, Any], agrees: bool, options: tuple[str, ...], code: int
) -> None:
    tried["agrees"] = agrees
    assert run("try", "--context", "lab", *options) == code
    assert run("try", "--remove", *options) == code
    assert (len(tried["brought"]), len(tried["removed"])) == ((0, 0) if code else (1, 1))
    assert tried["removed"] == ([] if code else [("current",)])


def test_without_stacks_no_provider_is_locked(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"cdktf\.out: holds no stack; run make synth"):
        app(("lock-providers",), prog_name="operations")

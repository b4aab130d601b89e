"""A new passphrase for states in a bucket, with real OpenTofu, whatever step a run ends after."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment.repository import StateBucket
from operations.clients.spaces import Spaces
from operations.clients.tofu import Stack
from operations.clients.vault import Secrets
from operations.rotation.passphrase import Place, rotate_passphrase
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY, FakeSpaces
from tests.support import ROOT, synthesised

BUCKET = StateBucket(bucket="example-state", region="lon1")
PATH, OLD = "sandbox/provisioning/state", "the first passphrase"
STACKS = ["one", "two"]


class Entry(Secrets):
    """One entry of Vault, in which a write may fail before or after it took effect."""

    mount = "episodic"

    def __init__(self) -> None:
        self.held = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "state_passphrase": OLD}
        self.writes = 0
        self.fails: tuple[int, str] = (0, "")

    def read(self, path: str) -> dict[str, str]:
        return dict(self.held)

    def version(self, path: str) -> int:
        return self.writes

    def replace(self, path: str, values: Any, version: int) -> bool:
        self._keep({**self.held, **values})
        return True

    def remove(self, path: str, name: str) -> None:
        self._keep({key: value for key, value in self.held.items() if key != name})

    def _keep(self, held: dict[str, str]) -> None:
        self.writes += 1
        number, when = self.fails
        if self.writes == number and when == "before":
            raise ConfigError("no answer")
        self.held = held
        if self.writes == number:
            raise ConfigError("a lost answer")


@pytest.fixture
def place(tofu_is_built: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Two stacks with a state, and a third that has none yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{ROOT / 'tools/bin'}:/usr/bin:/bin")
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)
    with FakeSpaces() as spaces:
        for name, value in spaces.environment().items():
            monkeypatch.setenv(name, value)
        Spaces(ACCESS_KEY, SECRET_KEY).create(BUCKET)
        found = Place(Entry(), PATH, BUCKET, [*STACKS, "three"])
        for name in found.stacks:
            folder = tmp_path / "cdktf.out/stacks" / name
            folder.mkdir(parents=True)
            (folder / "cdk.tf.json").write_text(json.dumps(synthesised(filled(name)).data))
        for name in STACKS:
            made = opened(found, name)
            made.plan(tmp_path / "plan")
            made.apply(tmp_path / "plan")
        yield found


def filled(name: str) -> Callable[[Any], None]:
    def fill(stack: Any) -> None:
        keep_state(stack, name, BUCKET)
        stack.add_override("resource.terraform_data.kept", {"input": f"of {name}"})

    return fill


def opened(place: Place, name: str, **changed: str) -> Stack:
    stack = Stack(name, BUCKET, {**place.variables(), **changed})
    stack.init()
    return stack


def assert_all_can_be_read(place: Place) -> None:
    """Fail unless a run with what Vault holds now reads every state, with nothing to change."""
    for name in STACKS:
        assert opened(place, name).plan(Path("plan")) == []


def test_every_state_has_the_new_passphrase_and_no_other_reads_it(place: Place, tmp_path: Path) -> None:
    rotate_passphrase(place)
    new = place.secrets.read(PATH)["state_passphrase"]
    assert (new != OLD, set(place.secrets.read(PATH))) == (
        True,
        {"access_key_id", "secret_access_key", "state_passphrase"},
    )
    assert_all_can_be_read(place)
    for name in STACKS:
        with pytest.raises(ConfigError, match="with another state_passphrase than Vault has"):
            opened(place, name, TF_VAR_state_passphrase=OLD).plan(Path("plan"))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "cdk.tf.json"]
    assert not [path for path in files if b"of one" in path.read_bytes()], "no state was on disk in clear text"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_run_that_ends_at_any_write_leaves_all_readable_and_the_next_finishes(
    place: Place, number: int, when: str
) -> None:
    entry: Any = place.secrets
    entry.fails = (number, when)
    with pytest.raises(ConfigError, match="answer"):
        rotate_passphrase(place)
    assert_all_can_be_read(place)
    rotate_passphrase(place)
    assert_all_can_be_read(place)
    assert "next_state_passphrase" not in entry.held
    assert entry.held["state_passphrase"] != OLD


@pytest.mark.parametrize("ended", range(4))
def test_a_run_that_ends_between_two_states_leaves_all_readable(
    place: Place, monkeypatch: pytest.MonkeyPatch, ended: int
) -> None:
    push, pushed = Stack.push, list[str]()

    def stopped(self: Stack, state: Any) -> None:
        if len(pushed) == ended:
            raise KeyboardInterrupt
        pushed.append(self.name)
        push(self, state)

    with monkeypatch.context() as until:
        until.setattr(Stack, "push", stopped)
        with pytest.raises(KeyboardInterrupt):
            rotate_passphrase(place)
    assert_all_can_be_read(place)
    rotate_passphrase(place)
    assert_all_can_be_read(place)

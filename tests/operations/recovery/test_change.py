"""A step of a recovery as a pull request in the repository of the files, on a GitHub of loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import ENVIRONMENTS
from operations.clients.github import GitHub
from operations.recovery.change import Proposal, propose
from operations.recovery.edit import Text
from tests.fakes.github import FakeGitHub
from tests.support import ROOT

NAME = "infrastructure"
FILE = f"{ENVIRONMENTS}/sandbox.yaml"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """A GitHub with a repository that holds the environments' files."""
    with FakeGitHub() as server:
        server.add_repository(NAME)
        files = {f"{ENVIRONMENTS}/{path.name}": path.read_text() for path in (ROOT / ENVIRONMENTS).glob("*.yaml")}
        server.git.begin(NAME, files)
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        yield server
        assert server.refused == []


def take(fake: FakeGitHub, generation: int) -> None:
    def edit(text: Text) -> None:
        text.set(("cluster",), "generation", generation)

    propose(GitHub(fake.token), f"df12-test/{NAME}", Proposal("sandbox", "Make it anew", "- merge", edit))


def test_a_pull_request_changes_the_file_and_a_second_run_finds_it(
    fake: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.talk.add_pull(fake.repositories[NAME], "recover/sandbox/old")
    fake.talk.add_pull(fake.repositories[NAME], "recover/staging/other")
    before = fake.git.read(NAME, FILE)
    take(fake, 7)
    take(fake, 7)
    old, other, pull = fake.repositories[NAME]["pulls"].values()
    assert [one["state"] for one in (old, other, pull)] == ["closed", "open", "open"]
    assert (pull["title"], pull["body"]) == ("Make it anew", "- merge")
    assert "generation: 7" in fake.git.read(NAME, FILE, pull["head"]["ref"])
    assert fake.git.read(NAME, FILE) == before
    assert "pull request 3 is open: Make it anew" in capsys.readouterr().out


def test_a_change_that_is_not_right_pushes_nothing(fake: FakeGitHub) -> None:
    with pytest.raises(ConfigError, match="generation"):
        take(fake, -1)
    assert list(fake.git.branches(NAME)) == ["main"]
    assert not fake.repositories[NAME]["pulls"]

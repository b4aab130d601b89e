"""What is kept on GitHub: one comment, one issue, one pull request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from operations.clients.github import GitHub, provider_variables
from tests.fakes.github import FakeGitHub
from tests.fakes.server import Fault

NAME = "df12-test/tools"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """An organisation with one repository."""
    with FakeGitHub() as server:
        server.add_repository("tools")
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        yield server
        assert server.refused == []


def test_a_comment_is_written_once_and_then_kept_up_to_date(fake: FakeGitHub) -> None:
    github = GitHub(fake.token)
    repository = github.repository(NAME)
    pull = fake.talk.add_pull(fake.repositories["tools"], "topic")
    told: list[Any] = [github.comment(repository, pull["number"], "<!-- m -->", f"<!-- m --> {n}") for n in (1, 1, 2)]
    assert told == [True, False, True]
    assert [comment["body"] for comment in pull["comments"].values()] == ["<!-- m --> 2"]


def test_a_text_that_is_too_long_is_cut_and_says_so(fake: FakeGitHub) -> None:
    github = GitHub(fake.token)
    repository = github.repository(NAME)
    for _ in range(2):
        issue = github.report(repository, "<!-- m -->", "Title", "<!-- m -->" + "x" * 70_000)
        assert issue is not None
    (kept,) = fake.repositories["tools"]["issues"].values()
    assert kept["body"].endswith("cut here; the job's summary has all of it.\n")
    assert sum(request.method == "PATCH" for request in fake.requests) == 0


def test_a_lasting_failure_of_github_is_one_sentence(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.faults.append(Fault("GET", f"/api/v3/repos/{NAME}/issues", times=9, status=422, message="Odd"))
    github = GitHub(fake.token)
    with pytest.raises(ConfigError, match=f"GitHub answers 422 to issues of {NAME}: Odd; run this again"):
        github.report(github.repository(NAME), "m", "t", None)


def test_the_provider_is_told_of_another_address_without_its_own_suffix(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provider_variables() == {"GITHUB_BASE_URL": f"{fake.url}/"}
    monkeypatch.delenv("GITHUB_API_URL")
    assert provider_variables() == {}

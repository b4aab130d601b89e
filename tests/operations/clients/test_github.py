"""What is kept on GitHub: one comment, one issue, one pull request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from operations.clients import github as client
from operations.clients.github import GitHub
from operations.clients.github_api import provider_variables
from tests.fakes.github import FakeGitHub
from tests.fakes.server import Fault
from tests.support import environment

NAME = "df12-test/tools"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """An organisation with one repository."""
    with FakeGitHub() as server:
        server.add_repository("tools")
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        yield server
        assert server.refused == []


def empty_commit(fake: FakeGitHub) -> str:
    """Return a commit without files."""
    tree = fake.git.git("tools", "mktree", text="").strip()
    person = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    return fake.git.git("tools", *person, "commit-tree", tree, "-m", "one").strip()


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


def test_a_repository_is_there_or_not_and_what_may_not_be_seen_is_told(fake: FakeGitHub) -> None:
    github = GitHub(fake.token)
    assert github.exists(NAME) is True
    assert github.exists("df12-test/other") is False
    with pytest.raises(
        ConfigError, match="GitHub knows no repository df12-test/other, or the token may not see it; boot"
    ):
        github.repository("df12-test/other")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refuses the token; correct github_token in Vault"),
        (403, r"GitHub refuses repository df12-test/tools \(Odd\); give the token access to it"),
    ],
)
def test_a_token_that_is_not_enough_is_told(fake: FakeGitHub, status: int, sentence: str) -> None:
    fake.faults.append(Fault("GET", f"/api/v3/repos/{NAME}", times=9, status=status, message="Odd"))
    with pytest.raises(ConfigError, match=sentence):
        GitHub(fake.token).exists(NAME)


def test_the_token_is_sent_and_refused_if_it_is_another(fake: FakeGitHub) -> None:
    with pytest.raises(ConfigError, match=f"GitHub at {fake.url}/api/v3 refuses the token"):
        GitHub("another").organisation("df12-test")
    assert GitHub(fake.token).organisation("df12-test").login == "df12-test"


def test_github_that_does_not_answer_is_told(fake: FakeGitHub, slept: list[float]) -> None:
    fake.faults.append(Fault("GET", ".*", times=99, cut=True, status=500))
    with pytest.raises(ConfigError, match="gives no answer; run this again later"):
        GitHub(fake.token).exists(NAME)
    assert len(fake.requests) == 6


def test_a_list_is_found_under_whatever_name_it_has(fake: FakeGitHub) -> None:
    github = GitHub(fake.token)
    scope = fake.repositories["tools"]
    scope["keys"][1] = {"id": 1, "title": "flux"}
    scope["environments"]["sandbox"] = {"policies": {}, "variables": {"A": {"name": "A"}}, "secrets": {}}
    assert [key["title"] for key in github.items(f"/repos/{NAME}/keys")] == ["flux"]
    assert github.items(f"/repos/{NAME}/environments/sandbox/variables") == [{"name": "A"}]
    assert github.items(f"/repos/{NAME}/environments/gone/variables") == []
    assert "per_page=100" in fake.requests[0].path


def test_a_new_repository_is_private(fake: FakeGitHub) -> None:
    gitops = environment().gitops
    assert GitHub(fake.token).create_repository(gitops).full_name == "df12-test/episodic-gitops"
    assert fake.repositories["episodic-gitops"]["settings"]["visibility"] == "private"


def test_a_pull_request_is_opened_once_and_then_kept_up_to_date(fake: FakeGitHub) -> None:
    two_branches(fake)
    github = GitHub(fake.token)
    repository = github.repository(NAME)
    proposals = [github.propose(repository, "topic", "Title", body) for body in ("one", "one", "two")]
    assert [opened for _, opened in proposals] == [True, False, False]
    (pull,) = fake.repositories["tools"]["pulls"].values()
    assert (pull["title"], pull["body"], pull["base"]["ref"]) == ("Title", "two", "main")
    assert sum(request.method == "PATCH" for request in fake.requests) == 1


def test_only_older_pull_requests_of_the_same_kind_are_closed(fake: FakeGitHub) -> None:
    scope = fake.repositories["tools"]
    for head in ("layout/old", "layout/new", "topic"):
        fake.talk.add_pull(scope, head)
    fake.git.git("tools", "update-ref", "refs/heads/main", commit := empty_commit(fake))
    for branch in ("layout/old", "layout/new", "layout/older", "layouts/other", "topic"):
        fake.git.git("tools", "branch", branch, commit)
    github = GitHub(fake.token)
    assert github.supersede(github.repository(NAME), "layout/", "layout/new") == [1]
    assert sorted(fake.git.branches("tools")) == ["layout/new", "layouts/other", "main", "topic"]
    assert {pull["head"]["ref"]: pull["state"] for pull in scope["pulls"].values()} == {
        "layout/old": "closed",
        "layout/new": "open",
        "topic": "open",
    }


def test_an_issue_is_kept_while_there_is_something_to_say_and_closed_after(fake: FakeGitHub) -> None:
    github = GitHub(fake.token)
    repository = github.repository(NAME)
    issues = fake.repositories["tools"]["issues"]
    assert github.report(repository, "<!-- m -->", "Title", None) is None
    numbers: list[int] = []
    for body in ("<!-- m --> 1", "<!-- m --> 1", "<!-- m --> 2"):
        issue = github.report(repository, "<!-- m -->", "Title", body)
        assert issue is not None
        numbers.append(issue.number)
    assert github.report(repository, "<!-- other -->", "Other", "<!-- other -->") is not None
    assert github.report(repository, "<!-- m -->", "Title", None) is None
    assert len(set(numbers)) == 1
    first, other = issues.values()
    assert (first["title"], first["body"], first["state"], other["state"]) == (
        "Title",
        "<!-- m --> 2",
        "closed",
        "open",
    )
    assert [comment["body"] for comment in first["comments"].values()] == ["Nothing differs any more."]


def two_branches(fake: FakeGitHub) -> None:
    """Give the repository a branch `topic` that differs from its default branch."""
    fake.git.create("tools")
    tree = fake.git.git("tools", "mktree", text="").strip()
    blob = fake.git.git("tools", "hash-object", "-w", "--stdin", text="x").strip()
    other = fake.git.git("tools", "mktree", text=f"100644 blob {blob}\tfile\n").strip()
    person = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    first = fake.git.git("tools", *person, "commit-tree", tree, "-m", "one").strip()
    second = fake.git.git("tools", *person, "commit-tree", other, "-p", first, "-m", "two").strip()
    fake.git.git("tools", "update-ref", "refs/heads/main", first)
    fake.git.git("tools", "update-ref", "refs/heads/topic", second)


LOST = (Fault("POST", ".*", lost=True), Fault("POST", ".*", cut=True), Fault("POST", ".*", status=502))


@pytest.fixture(params=LOST, ids=["lost", "cut", "502"])
def failing(fake: FakeGitHub, request: pytest.FixtureRequest, slept: list[float]) -> Fault:
    """A fault that the next POST meets: its answer is lost, it does not arrive, or it is refused in passing."""
    fault = replace(request.param)
    fake.faults.append(fault)
    return fault


def test_a_comment_whose_answer_is_lost_is_not_written_twice(fake: FakeGitHub, failing: Fault) -> None:
    github = GitHub(fake.token)
    pull = fake.talk.add_pull(fake.repositories["tools"], "topic")
    assert github.comment(github.repository(NAME), pull["number"], "<!-- m -->", "<!-- m --> 1") is True
    assert failing.times == 0
    assert [comment["body"] for comment in pull["comments"].values()] == ["<!-- m --> 1"]


def test_an_issue_whose_answer_is_lost_is_not_opened_twice(fake: FakeGitHub, failing: Fault) -> None:
    github = GitHub(fake.token)
    issue = github.report(github.repository(NAME), "<!-- m -->", "Title", "<!-- m --> 1")
    assert failing.times == 0
    assert issue is not None
    assert [kept["number"] for kept in fake.repositories["tools"]["issues"].values()] == [issue.number]


def test_an_issue_is_told_once_that_nothing_differs(fake: FakeGitHub, slept: list[float]) -> None:
    github = GitHub(fake.token)
    repository = github.repository(NAME)
    for method in ("POST", "PATCH"):  # the comment's answer is lost, then that of the closing
        github.report(repository, "<!-- m -->", "Title", "<!-- m --> 1")
        fake.faults.append(Fault(method, ".*", lost=True))
        github.report(repository, "<!-- m -->", "Title", None)
        assert fake.faults[-1].times == 0
    issues = fake.repositories["tools"]["issues"].values()
    assert [(issue["state"], len(issue["comments"])) for issue in issues] == [("closed", 1)] * 2


def test_a_repository_whose_answer_is_lost_is_found(fake: FakeGitHub, failing: Fault) -> None:
    assert GitHub(fake.token).create_repository(environment().gitops).full_name == "df12-test/episodic-gitops"
    assert failing.times == 0
    assert set(fake.repositories) == {"tools", "episodic-gitops"}


def test_a_pull_request_whose_answer_is_lost_is_not_opened_twice(fake: FakeGitHub, failing: Fault) -> None:
    two_branches(fake)
    github = GitHub(fake.token)
    pull, opened = github.propose(github.repository(NAME), "topic", "Title", "body")
    assert failing.times == 0
    assert opened is True
    assert list(fake.repositories["tools"]["pulls"]) == [pull.number]


def test_a_change_whose_answer_is_lost_is_made_again(fake: FakeGitHub, slept: list[float]) -> None:
    github = GitHub(fake.token)
    fake.talk.add_pull(fake.repositories["tools"], "layout/old")
    fake.faults.append(Fault("PATCH", ".*", lost=True))
    assert github.supersede(github.repository(NAME), "layout/", "layout/new") == [1]
    assert fake.repositories["tools"]["pulls"][1]["state"] == "closed"


def test_a_post_that_fails_for_good_is_tried_three_times_and_told(fake: FakeGitHub, slept: list[float]) -> None:
    fake.faults.append(Fault("POST", ".*", times=9, cut=True))
    with pytest.raises(ConfigError, match="gives no answer; run this again later"):
        GitHub(fake.token).create_repository(environment().gitops)
    assert fake.faults[0].times == 6
    refused = Fault("POST", ".*", times=9, status=422, message="no")
    fake.faults[:] = [refused]
    with pytest.raises(ConfigError, match="GitHub answers 422"):
        GitHub(fake.token).create_repository(environment().gitops)
    assert refused.times == 8


def test_github_may_not_say_that_a_day_is_waited(fake: FakeGitHub, slept: list[float]) -> None:
    fake.faults.append(Fault("GET", ".*", times=1, status=429, headers={"Retry-After": "86400"}))
    assert GitHub(fake.token).exists(NAME) is True
    assert slept == [60]


@pytest.mark.parametrize("message", ["API rate limit exceeded for user", "You have exceeded a secondary rate limit"])
def test_a_rate_limit_is_told_as_what_it_is(fake: FakeGitHub, slept: list[float], message: str) -> None:
    headers = {"X-RateLimit-Reset": str(int(time.time()) + 3600)}
    fake.faults.append(Fault("GET", ".*", times=9, status=403, message=message, headers=headers))
    with pytest.raises(ConfigError, match="takes no more requests of this token for now; run this again later"):
        GitHub(fake.token).exists(NAME)
    assert all(wait <= 60 for wait in slept)


def test_github_that_takes_a_request_and_says_nothing_is_asked_again(
    fake: FakeGitHub, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 1)
    fake.faults.append(Fault("GET", ".*", silent=True))
    assert GitHub(fake.token).exists(NAME) is True
    assert len(fake.requests) == 2

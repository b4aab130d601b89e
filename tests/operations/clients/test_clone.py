"""A clone of a repository, which Git reaches with a token that nobody sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.git import LOCAL, NETWORK, Git
from operations.clients import clone as client
from operations.clients.clone import Clone, NetworkError, cloned
from operations.clients.github import GitHub
from tests.fakes.github import FakeGitHub
from tests.fakes.server import Fault

NAME = "df12-test/tools"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    monkeypatch.setattr(Clone.ask.retry, "sleep", lambda _: None)  # pyright: ignore
    with FakeGitHub() as server:
        server.add_repository("tools")
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        yield server


def seed(fake: FakeGitHub, *names: str) -> None:
    """Push a file of each name to the default branch, a commit each."""
    with clone(fake) as work:
        for name in names:
            (work.folder / name).write_text(name)
            work.commit(f"Add {name}")
        work.push("main")


def clone(fake: FakeGitHub, token: str = "") -> Any:
    return cloned(GitHub(fake.token).repository(NAME), token or fake.token, "main")


def test_an_empty_repository_is_seeded_on_its_default_branch(fake: FakeGitHub) -> None:
    with clone(fake) as work:
        assert (work.empty, work.branch) == (True, "main")
        folder = work.folder
    assert not folder.exists()
    seed(fake, "a", "b")
    assert [commit.message for commit in fake.git.log("tools")] == ["Add b", "Add a"]
    with clone(fake) as work:
        assert work.empty is False
        assert work.ask("rev-parse", "--abbrev-ref", "HEAD") == "main"


def test_commits_are_of_the_program_and_not_of_who_runs_it(fake: FakeGitHub) -> None:
    seed(fake, "a")
    people = fake.git.git("tools", "log", "--format=%an <%ae> %cn <%ce>", "main").strip()
    assert people == " ".join(["GitOps <gitops@users.noreply.github.com>"] * 2)


def test_what_changed_is_every_file_and_the_tree_is_named_after_it(fake: FakeGitHub) -> None:
    seed(fake, "a")
    with clone(fake) as work:
        assert work.changed() == []
        before = work.tree()
        (work.folder / "new").mkdir()
        for name in ("new/b", "new/c"):
            (work.folder / name).write_text("x")
        (work.folder / "a").unlink()
        assert sorted(work.changed()) == ["a", "new/b", "new/c"]
        assert work.tree() != before


def test_a_branch_is_pushed_beside_the_default_branch(fake: FakeGitHub) -> None:
    seed(fake, "a")
    with clone(fake) as work:
        work.switch("topic")
        (work.folder / "b").write_text("b")
        commit = work.commit("Add b")
        work.push("topic")
    assert fake.git.head("tools", "topic") == commit
    assert fake.git.files("tools") == ["a"]
    with clone(fake) as work:
        assert work.has("refs/remotes/origin/topic") is True
        assert work.has("refs/remotes/origin/other") is False


def test_nothing_is_pushed_by_force(fake: FakeGitHub) -> None:
    seed(fake, "a")
    with clone(fake) as work:
        seed(fake, "b")
        (work.folder / "c").write_text("c")
        work.commit("Add c")
        with pytest.raises(ConfigError, match=r"git push: .*locally") as told:
            work.push("main")
    assert not isinstance(told.value, NetworkError)
    assert fake.git.files("tools") == ["a", "b"]


def test_the_files_of_a_commit_can_be_had(fake: FakeGitHub, tmp_path: Path) -> None:
    seed(fake, "a", "b")
    with clone(fake) as work:
        work.export("HEAD^", tmp_path / "before")
        assert (tmp_path / "before/a").read_text() == "a"
        assert not (tmp_path / "before/b").exists()


def test_the_token_is_in_no_argument_address_or_file(fake: FakeGitHub) -> None:
    seed(fake, "a")
    with clone(fake) as work:
        assert fake.token not in work.ask("remote", "get-url", "origin")
        files = [path for path in work.folder.rglob("*") if path.is_file()]
        assert files
        assert not any(fake.token.encode() in path.read_bytes() for path in files)


def test_the_token_goes_to_this_repository_alone(fake: FakeGitHub) -> None:
    with clone(fake) as work:
        configured = work.ask("config", "--get-regexp", r"^http\..*")
    (line,) = configured.splitlines()
    assert line.startswith(f"http.{fake.url}/{NAME}.git.extraheader Authorization: Basic ")


def test_nobodys_own_configuration_is_read(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = me\n")
    with clone(fake) as work:
        assert Git(work.folder, {**os.environ}).ask("config", "user.name") == "me"
        with pytest.raises(ConfigError, match="git config: "):
            work.ask("config", "user.name")


def test_the_network_is_tried_three_times(fake: FakeGitHub) -> None:
    seed(fake, "a")
    fake.requests.clear()
    fake.faults.append(Fault("GET", f"/{NAME}.git/info/refs", times=2, status=502))
    with clone(fake) as work:
        assert work.empty is False
    fake.faults.append(Fault("GET", f"/{NAME}.git/info/refs", times=9, status=502))
    with pytest.raises(NetworkError, match=r"git clone: .*502"), clone(fake):
        pass
    assert fake.faults[-1].times == 6


def test_a_wrong_token_is_told_in_gits_words_and_nobody_is_asked_for_another(fake: FakeGitHub) -> None:
    with pytest.raises(NetworkError, match=r"git clone: .*(could not read Username|Authentication failed)"):
        clone(fake, token="wrong").__enter__()


def test_what_reaches_the_server_has_more_time(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: dict[str, float] = {}
    run = Git.run

    def timed(self: Git, *arguments: str, deadline: float = LOCAL) -> Any:
        deadlines[arguments[0]] = deadline
        return run(self, *arguments, deadline=deadline)

    monkeypatch.setattr(Git, "run", timed)
    seed(fake, "a")
    assert {name for name, deadline in deadlines.items() if deadline == NETWORK} == {"clone", "push"}


def test_long_words_of_git_are_cut_to_their_end(fake: FakeGitHub) -> None:
    with clone(fake) as work, pytest.raises(ConfigError) as told:
        work.ask("rev-parse", "--verify", "x" * 900)
    assert len(str(told.value)) <= len("git rev-parse: ") + 300


def test_a_server_that_takes_a_request_and_says_nothing_is_given_up(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STALLED_SECONDS", 1)
    stalled = Fault("GET", f"/{NAME}.git/info/refs", times=3, silent=True)
    fake.faults.append(stalled)
    with pytest.raises(NetworkError, match=r"git clone: .*(too slow|Less than 1000 bytes/sec)"), clone(fake):
        pass
    assert stalled.times == 0


def test_a_push_whose_answer_is_lost_is_one(fake: FakeGitHub) -> None:
    lost = Fault("POST", f"/{NAME}.git/git-receive-pack", lost=True)
    fake.faults.append(lost)
    seed(fake, "a")
    assert lost.times == 0
    assert [commit.message for commit in fake.git.log("tools")] == ["Add a"]

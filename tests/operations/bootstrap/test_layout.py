"""The content of the GitOps repository: seeded once, repaired by pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import yaml

from constructs_lib.environment import Environment
from operations.bootstrap.layout import broken_layout, ensure_layout
from operations.clients.github import GitHub
from tests.fakes.github import FakeGitHub
from tests.support import environment

NAME = "episodic-gitops"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    with FakeGitHub() as server:
        server.add_repository(NAME)
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        yield server
        assert server.refused == []


def ensure(fake: FakeGitHub, *environments: Environment, chosen: Sequence[Environment] | None = None) -> None:
    github = GitHub(fake.token)
    ensure_layout(github, github.repository(f"df12-test/{NAME}"), environments, chosen or environments)


def followed(fake: FakeGitHub, name: str, branch: str = "main") -> dict[str, str]:
    """Return what an environment follows."""
    return yaml.safe_load(fake.git.read(NAME, f"clusters/{name}/source.yaml", branch))["spec"]["ref"]


def test_the_sandbox_follows_the_branch_and_later_tiers_the_first_commit(fake: FakeGitHub) -> None:
    ensure(fake, *map(environment, ("sandbox", "staging", "production")))
    second, first = fake.git.log(NAME)
    assert first.message == "Seed the platform of every environment"
    assert second.message == "Pin staging, production to the first commit"
    assert followed(fake, "sandbox") == {"branch": "main"}
    assert followed(fake, "staging") == followed(fake, "production") == {"branch": "main", "commit": first.id}
    assert fake.repositories[NAME]["pulls"] == {}


def test_a_sandbox_alone_is_one_commit(fake: FakeGitHub, capsys: pytest.CaptureFixture[str]) -> None:
    ensure(fake, environment())
    assert len(fake.git.log(NAME)) == 1
    assert f"df12-test/{NAME}: seeded branch main\n" in capsys.readouterr().out


def test_only_the_chosen_environments_are_seeded(fake: FakeGitHub) -> None:
    environments = [environment(), environment("staging")]
    ensure(fake, *environments, chosen=environments[:1])
    folders = {path.split("/")[1] for path in fake.git.files(NAME) if path.startswith("clusters/")}
    assert folders == {"sandbox"}
    assert len(fake.git.log(NAME)) == 1


def test_a_layout_as_it_should_be_is_left_alone(fake: FakeGitHub, capsys: pytest.CaptureFixture[str]) -> None:
    env = environment()
    ensure(fake, env)
    fake.talk.add_pull(fake.repositories[NAME], f"layout/{fake.git.branches(NAME)['main'][:12]}")
    ensure(fake, env)
    assert fake.repositories[NAME]["pulls"][1]["state"] == "closed", "it proposes what is there already"
    assert f"df12-test/{NAME}: the layout is as it should be\n" in capsys.readouterr().out
    assert list(fake.git.branches(NAME)) == ["main"]


def test_what_differs_is_proposed_once_and_what_is_newer_replaces_it(
    fake: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(fake, environment())
    for _ in range(2):
        ensure(fake, environment(platform__vault_eso__replicas=2))
    (pull,) = fake.repositories[NAME]["pulls"].values()
    tree = fake.git.branches(NAME)[pull["head"]["ref"]]
    assert pull["head"]["ref"] == f"layout/{tree[:12]}"
    assert pull["title"] == "Bring the layout to what is rendered"
    printed = capsys.readouterr().out
    assert "pull request 1 opened, " in printed
    assert "pull request 1 is open, " in printed
    ensure(fake, environment(platform__vault_eso__replicas=3))
    states = {number: item["state"] for number, item in fake.repositories[NAME]["pulls"].items()}
    assert states == {1: "closed", 2: "open"}
    assert "closed pull request 1, which something newer replaces\n" in capsys.readouterr().out
    ensure(fake, environment())
    assert fake.repositories[NAME]["pulls"][2]["state"] == "closed"
    assert len(fake.git.log(NAME)) == 1, "nothing goes to the default branch without a review"


def test_the_proposal_lists_every_file_and_says_what_was_edited_by_hand(
    fake: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    env = environment()
    ensure(fake, env)
    path = next(path for path in fake.git.files(NAME) if path.startswith("platform/"))
    edit(fake, path, "edited: by hand\n")
    ensure(fake, env)
    (pull,) = fake.repositories[NAME]["pulls"].values()
    text = f"<code>{path}</code>"
    assert pull["body"] == (
        "The repository differs from what the environment files render.\n\n"
        "Edited by hand, and put back here (move the change to <code>environments/</code> to keep it):\n\n"
        f"- {text}\n\n<details>\n<summary>1 files</summary>\n\n- {text}\n\n</details>\n"
    )
    assert f"df12-test/{NAME}: {path} was edited by hand\n" in capsys.readouterr().out


def test_a_broken_layout_is_the_paths_that_differ_and_nothing_is_pushed(fake: FakeGitHub) -> None:
    env = environment()
    ensure(fake, env)
    github = GitHub(fake.token)
    repository = github.repository(f"df12-test/{NAME}")
    assert broken_layout(github, repository, [env], [env]) == []
    path = next(path for path in fake.git.files(NAME) if path.startswith("platform/"))
    edit(fake, path, "edited: by hand\n")
    assert broken_layout(github, repository, [env], [env]) == [path]
    assert list(fake.git.branches(NAME)) == ["main"]
    assert fake.repositories[NAME]["pulls"] == {}


def test_a_pin_that_people_moved_is_no_difference(fake: FakeGitHub) -> None:
    environments = [environment(), environment("staging")]
    ensure(fake, *environments)
    github = GitHub(fake.token)
    repository = github.repository(f"df12-test/{NAME}")
    assert broken_layout(github, repository, environments, environments) == []


def edit(fake: FakeGitHub, path: str, text: str) -> None:
    """Change a file on the default branch, as somebody does by hand."""
    blob = fake.git.git(NAME, "hash-object", "-w", "--stdin", text=text).strip()
    lines = fake.git.git(NAME, "ls-tree", "-r", "main").splitlines()
    kept = [line for line in lines if line.partition("\t")[2] != path]
    tree = _tree(fake, [*kept, f"100644 blob {blob}\t{path}"])
    person = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    commit = fake.git.git(NAME, *person, "commit-tree", tree, "-p", "main", "-m", "Edit").strip()
    fake.git.git(NAME, "update-ref", "refs/heads/main", commit)


def _tree(fake: FakeGitHub, lines: Sequence[str]) -> str:
    """Write a tree of `mode type id<TAB>path` lines, folder by folder."""
    here: list[str] = []
    below: dict[str, list[str]] = {}
    for line in lines:
        head, _, path = line.partition("\t")
        folder, slash, rest = path.partition("/")
        if slash:
            below.setdefault(folder, []).append(f"{head}\t{rest}")
        else:
            here.append(line)
    here += [f"040000 tree {_tree(fake, items)}\t{folder}" for folder, items in below.items()]
    return fake.git.git(NAME, "mktree", text="\n".join(here) + "\n").strip()

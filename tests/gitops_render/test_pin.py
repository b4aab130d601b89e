"""Promotion in real repositories: only what the environment before runs or ran gets through, one line at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from gitops_render.paths import source_file
from gitops_render.pin import Pin, pin
from gitops_render.tree import render
from gitops_render.yaml_output import to_yaml
from tests.support import ROOT, environment, parsed, run_python

SANDBOX, STAGING, PRODUCTION = (environment(name) for name in ("sandbox", "staging", "production"))
ALL = (SANDBOX, STAGING, PRODUCTION)


class Clone:
    """A work tree of the GitOps repository, whose commits are numbered."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def git(self, *arguments: str) -> str:
        """Run Git as nobody in particular."""
        who = {f"GIT_{role}_{key}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        environ = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, message: str) -> str:
        """Commit the work tree as it is, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def file(self, env: Environment) -> Path:
        return self.path / source_file(env.name)

    def follow(self, env: Environment, ref: str) -> None:
        """Rewrite what an environment follows, by hand."""
        key, value = ref.split(": ")
        data = parsed(self.file(env).read_bytes())
        data["spec"]["ref"] = {key: value}
        self.file(env).write_bytes(to_yaml(data))

    def promote(self, source: Environment, target: Environment, commit: str | None = None) -> Pin:
        """Promote and commit."""
        done = pin(self.path, source, target, commit)
        self.commit(f"Promote {source.name} to {target.name}")
        return done


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A repository that was seeded and has one commit more."""
    made = Clone(tmp_path / "clone")
    made.path.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    for env in ALL:
        made.file(env).parent.mkdir(parents=True)
        made.file(env).write_bytes(render(env).seeds[source_file(env.name)])
    made.commit("Seed")
    made.commit("First change")
    return made


def refused(clone: Clone, sentence: str, *arguments: Environment | str) -> None:
    """Fail unless promotion is refused with `sentence` and leaves the work tree as it was."""
    before = {env.name: clone.file(env).read_bytes() for env in ALL if clone.file(env).exists()}
    with pytest.raises(ConfigError, match=sentence) as caught:
        pin(clone.path, *arguments)  # pyright: ignore[reportArgumentType]
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)
    assert {env.name: clone.file(env).read_bytes() for env in ALL if clone.file(env).exists()} == before


def test_the_first_pin_adds_one_line(clone: Clone) -> None:
    head = clone.git("rev-parse", "HEAD")
    assert pin(clone.path, SANDBOX, STAGING) == Pin("branch main", head, changed=True, commits=())
    assert clone.git("diff", "--numstat").split() == ["1", "0", str(source_file("staging"))]
    assert f"    branch: main\n    commit: {head}\n" in clone.file(STAGING).read_text().replace('"', "")


def test_a_pin_names_the_branch_that_has_the_commit(clone: Clone) -> None:
    """With the branch beside it, Flux takes the commit from that branch alone; a pin of before had none."""
    head = clone.git("rev-parse", "HEAD")
    clone.follow(STAGING, f"commit: {clone.git('rev-parse', 'HEAD^')}")
    clone.commit("Pin as it was once")
    pin(clone.path, SANDBOX, STAGING, head)
    assert parsed(clone.file(STAGING).read_bytes())["spec"]["ref"] == {"branch": "main", "commit": head}


def test_a_commit_goes_from_sandbox_to_staging_to_production(clone: Clone) -> None:
    clone.promote(SANDBOX, STAGING)
    clone.promote(STAGING, PRODUCTION)
    first, second = clone.commit("Add: a"), clone.commit("Add b")
    to_staging = clone.promote(SANDBOX, STAGING)
    assert to_staging.new == second
    assert [line.partition(" ")[2] for line in to_staging.commits][:2] == ["Add b", "Add: a"]
    clone.commit("Add c, which staging does not run")
    to_production = pin(clone.path, STAGING, PRODUCTION)
    assert to_production.new == second
    assert first[:7] in "\n".join(to_production.commits)
    assert clone.git("diff", "--numstat").split() == ["1", "1", str(source_file("production"))]


def test_what_runs_already_changes_nothing(clone: Clone) -> None:
    pinned = clone.promote(SANDBOX, STAGING).new
    before = clone.file(STAGING).stat().st_mtime_ns
    done = pin(clone.path, SANDBOX, STAGING, pinned)
    assert done == Pin(pinned, pinned, changed=False, commits=())
    assert clone.file(STAGING).stat().st_mtime_ns == before


def test_a_revert_rolls_back(clone: Clone) -> None:
    first = clone.promote(SANDBOX, STAGING).new
    clone.commit("Break something")
    second = clone.promote(SANDBOX, STAGING).new
    clone.git("revert", "--no-edit", "HEAD")
    assert pin(clone.path, STAGING, PRODUCTION).new == first
    clone.git("checkout", "--", ".")
    assert pin(clone.path, STAGING, PRODUCTION, second).new == second, "staging has run it"


def test_an_older_commit_that_ran_can_be_chosen(clone: Clone) -> None:
    first = clone.promote(SANDBOX, STAGING).new
    clone.promote(SANDBOX, STAGING)
    assert clone.promote(STAGING, PRODUCTION, first[:9]).new == first


def test_a_commit_that_did_not_run_is_refused(clone: Clone) -> None:
    clone.promote(SANDBOX, STAGING)
    skipped = clone.commit("Never on staging")
    clone.commit("Runs on staging")
    clone.promote(SANDBOX, STAGING)
    refused(clone, f"{skipped}: staging neither runs nor ran this commit", STAGING, PRODUCTION, skipped)
    assert pin(clone.path, SANDBOX, STAGING, skipped).new == skipped, "the sandbox follows the branch"


def test_a_commit_counts_as_run_until_the_branch_was_left(clone: Clone) -> None:
    seeded = clone.git("rev-parse", "HEAD")
    clone.follow(STAGING, f"commit: {seeded}")
    pinned = clone.commit("Pin staging")
    refused(clone, "neither runs nor ran", STAGING, PRODUCTION, pinned)
    parent = clone.git("rev-parse", "HEAD~2")
    assert pin(clone.path, STAGING, PRODUCTION, parent).new == parent, "staging followed the branch then"


def test_a_commit_does_not_count_as_run_where_another_branch_was_followed(clone: Clone) -> None:
    seeded = clone.git("rev-parse", "HEAD")
    clone.follow(STAGING, "branch: side")
    clone.commit("Let staging follow another branch")
    meanwhile = clone.commit("On main meanwhile")
    clone.follow(STAGING, f"commit: {seeded}")
    clone.commit("Pin staging")
    refused(clone, "neither runs nor ran", STAGING, PRODUCTION, meanwhile)


def test_a_version_that_flux_could_not_follow_is_no_obstacle(clone: Clone) -> None:
    first = clone.promote(SANDBOX, STAGING).new
    clone.follow(STAGING, "commit: abc")
    clone.commit("A slip")
    clone.follow(STAGING, "branch: main")
    clone.commit("Follow main again")
    assert pin(clone.path, STAGING, PRODUCTION, first).new == first


def test_a_promotion_that_is_not_merged_does_not_count(clone: Clone) -> None:
    clone.promote(SANDBOX, STAGING)
    merged = pin(clone.path, STAGING, PRODUCTION).new
    clone.git("checkout", "--", ".")
    later = clone.commit("Later")
    clone.git("checkout", "--quiet", "-b", "pull-request")
    clone.follow(STAGING, f"commit: {later}")
    clone.commit("Open pull request")
    refused(clone, "neither runs nor ran", STAGING, PRODUCTION, later)
    assert pin(clone.path, STAGING, PRODUCTION).new == merged


def test_a_pin_inside_a_merged_branch_did_not_run(clone: Clone) -> None:
    first = clone.promote(SANDBOX, STAGING).new
    other = clone.commit("Other")
    clone.git("checkout", "--quiet", "-b", "pull-request")
    clone.follow(STAGING, f"commit: {other}")
    clone.commit("Pin the wrong one")
    clone.follow(STAGING, f"commit: {clone.git('rev-parse', first + '^')}")
    clone.commit("Pin the right one")
    clone.git("checkout", "--quiet", "main")
    clone.git("merge", "--quiet", "--no-ff", "--no-edit", "pull-request")
    refused(clone, "neither runs nor ran", STAGING, PRODUCTION, other)


def test_the_branch_is_that_of_origin(clone: Clone, tmp_path: Path) -> None:
    origin = clone.git("rev-parse", "HEAD")
    clone.git("clone", "--quiet", ".", str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    local = other.commit("Not pushed")
    refused(other, f"{local}: is not on branch main", SANDBOX, STAGING, local)
    assert pin(other.path, SANDBOX, STAGING).new == origin


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        (SANDBOX, PRODUCTION, "production takes only what tier staging runs"),
        (PRODUCTION, STAGING, "staging takes only what tier sandbox runs"),
        (STAGING, STAGING, "staging takes only what tier sandbox runs"),
        (STAGING, SANDBOX, "sandbox: tier sandbox follows the branch"),
    ],
)
def test_the_order_is_kept(clone: Clone, source: Environment, target: Environment, sentence: str) -> None:
    refused(clone, sentence, source, target)


@pytest.mark.parametrize(
    ("commit", "sentence"), [("0" * 40, "is no commit"), ("--all", "is no commit"), ("", "is no commit")]
)
def test_an_unknown_commit_is_refused(clone: Clone, commit: str, sentence: str) -> None:
    refused(clone, sentence, SANDBOX, STAGING, commit)


def test_a_commit_beside_the_branch_is_refused(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "-b", "side")
    beside = clone.commit("Beside")
    clone.git("checkout", "--quiet", "main")
    refused(clone, f"{beside}: is not on branch main; merge it first", SANDBOX, STAGING, beside)
    clone.follow(STAGING, f"commit: {beside}")
    clone.commit("Pin staging to it by hand")
    refused(clone, f"{beside}: is not on branch main", STAGING, PRODUCTION)


@pytest.mark.parametrize("env", [SANDBOX, STAGING])
def test_edits_are_refused(clone: Clone, env: Environment) -> None:
    clone.follow(env, "branch: other")
    refused(clone, rf"clusters/{env.name}/source\.yaml: has edits that are not committed", SANDBOX, STAGING)


@pytest.mark.parametrize(
    ("env", "content", "sentence"),
    [
        (STAGING, None, "cannot be read: No such file"),
        (SANDBOX, None, "is not on branch main; render sandbox"),
        (SANDBOX, "a: [", "is not YAML on branch main"),
        (SANDBOX, "spec: {ref: {tag: v1}}", "spec.ref: must name a branch or a commit"),
        (SANDBOX, "spec: {ref: {commit: abcdef12}}", "spec.ref.commit: string should match pattern"),
        (SANDBOX, "spec: {ref: {branch: gone}}", "has no branch gone"),
        (STAGING, "# why\nspec:\n  ref:\n    branch: main\n", "has comments or a layout"),
    ],
)
def test_a_file_that_cannot_be_used(clone: Clone, env: Environment, content: str | None, sentence: str) -> None:
    if content is None:
        clone.file(env).unlink()
    else:
        clone.file(env).write_text(content)
    clone.commit("By hand")
    refused(clone, sentence, SANDBOX, STAGING)


def test_a_folder_without_git_is_refused(clone: Clone) -> None:
    shutil.rmtree(clone.path / ".git")
    refused(clone, "is not a work tree of Git .*--tree", SANDBOX, STAGING)


def test_a_shallow_clone_is_refused(clone: Clone, tmp_path: Path) -> None:
    clone.git("clone", "--quiet", "--depth=1", f"file://{clone.path}", str(tmp_path / "shallow"))
    refused(Clone(tmp_path / "shallow"), "is a shallow clone", SANDBOX, STAGING)


def test_git_has_to_be_installed(clone: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(clone, "git: is not installed", SANDBOX, STAGING)


@pytest.fixture
def run(clone: Clone) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command in the project's folder on the clone."""

    def run_command(*arguments: str) -> tuple[int, str, str]:
        command = ("-m", "gitops_render", "pin", *arguments, "--tree", str(clone.path))
        result = run_python(*command, folder=ROOT)
        return result.returncode, result.stdout, result.stderr

    return run_command


def test_the_command_tells_what_comes_in(clone: Clone, run: Callable[..., tuple[int, str, str]]) -> None:
    old = clone.promote(SANDBOX, STAGING).new
    new = clone.commit("Add a thing")
    code, out, _ = run("sandbox", "staging")
    assert (code, out.splitlines()[0]) == (0, f"staging: {old} -> {new}")
    assert out.splitlines()[1].endswith(" Add a thing")
    clone.commit("Promote")
    code, out, _ = run("sandbox", "staging", "--commit", new, "--json")
    assert json.loads(out) == {
        "source": "sandbox", "target": "staging", "old": new, "new": new, "changed": False, "commits": []
    }  # fmt: skip


def test_the_command_refuses_in_one_sentence(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("sandbx", "staging")
    assert (code, out) == (2, "")
    assert err == "unknown environment 'sandbx', known are sandbox, staging, production; did you mean 'sandbox'?\n"

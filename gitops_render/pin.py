"""Pinning: the commit that one environment runs becomes the commit of the next, as a change of its `source.yaml` alone.

What an environment runs is what the default branch says in its `source.yaml`, since Flux follows that branch: a pull
request that is still open does not count. The branch stands beside the commit, which Flux then takes from that branch
alone (docs/decisions/0036-the-gate.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.sentences import sentences
from constructs_lib.base.yaml_input import Document, read_mapping
from constructs_lib.environment import TIERS, Environment
from gitops_render.git import Git
from gitops_render.paths import source_file
from gitops_render.yaml_output import to_yaml


@dataclass(frozen=True)
class Pin:
    """What pinning found and did.

    `old` is the commit that the target ran (`branch …` before its first pin) and `new` the one it is pinned to;
    `changed` says whether its file was written, and `commits` lists what comes in, the newest first.
    """

    old: str
    new: str
    changed: bool
    commits: tuple[str, ...]


def pin(repository: Path, source: Environment, target: Environment, commit: str | None = None) -> Pin:
    """Pin `target` to the commit that `source` runs, or to `commit`, which `source` has to run or to have run.

    `repository` is a work tree of the GitOps repository; only the `source.yaml` of `target` is written there.
    Raises `ConfigError`, with nothing written, if the environments do not follow each other, the work tree cannot
    be used or has edits of the two files, or the commit is not on the default branch or never ran in `source`.
    """
    _refuse_order(source, target)
    history = History(repository, source.gitops.default_branch)
    history.refuse_edits(source, target)
    path = repository / source_file(target.name)
    data = read_mapping(path)
    ran = _ref(str(path), data)
    new = history.running(source) if commit is None else history.chosen(source, commit)
    if ran.commit == new:
        return Pin(new, new, changed=False, commits=())
    follow(path, history.branch, new)
    commits = history.between(ran.commit, new) if ran.commit else ()
    return Pin(ran.commit or f"branch {ran.branch}", new, changed=True, commits=commits)


def _refuse_order(source: Environment, target: Environment) -> None:
    position = TIERS.index(target.tier)
    if position == 0:
        raise ConfigError(f"{target.name}: tier {target.tier} follows the branch; promote to a later tier")
    before = TIERS[position - 1]
    if source.tier != before:
        raise ConfigError(
            f"{source.name}: is of tier {source.tier}, but {target.name} takes only what tier {before} runs; "
            f"promote from an environment of tier {before}"
        )


def follow(path: Path, branch: str, commit: str) -> None:
    """Let the `source.yaml` at `path` follow `commit` of `branch`, with no other change.

    Raises `ConfigError` as `pin` does.
    """
    data = read_mapping(path)
    if path.read_bytes() != to_yaml(data):
        raise ConfigError(f"{path}: has comments or a layout that promotion would lose; give it its rendered form")
    data["spec"]["ref"] = {"branch": branch, "commit": commit}
    try:
        path.write_bytes(to_yaml(data))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; make it writable") from None


class _Ref(BaseModel):
    """What a GitRepository follows; Flux prefers the commit."""

    branch: str | None = None
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None

    @model_validator(mode="after")
    def _follows_something(self) -> Self:
        if not (self.branch or self.commit):
            raise ValueError("must name a branch or a commit")
        return self


class _Spec(BaseModel):
    ref: _Ref


class _Source(BaseModel):
    spec: _Spec


def _ref(where: str, data: object) -> _Ref:
    try:
        return _Source.model_validate(data).spec.ref
    except ValidationError as error:
        raise ConfigError(*sentences(Document(Path(where), data, {}), error, _Source)) from None


class History:
    """The default branch of the repository behind a work tree, as it was fetched last."""

    def __init__(self, repository: Path, branch: str) -> None:
        self.repository, self.git = repository, Git(repository)
        found = self.git.run("rev-parse", "--show-toplevel")
        if found.returncode:
            why = found.stderr.partition("\n")[0]
            raise ConfigError(f"{repository}: is not a work tree of Git ({why}); name the clone with --tree")
        if self.git.ask("rev-parse", "--is-shallow-repository") == "true":
            raise ConfigError(f"{repository}: is a shallow clone; run git fetch --unshallow there")
        self.branch, self.head = branch, self._head_of(branch)

    def refuse_edits(self, *environments: Environment) -> None:
        """Raise `ConfigError` if a `source.yaml` in the work tree is not as it was committed."""
        files = [str(source_file(env.name)) for env in environments]
        edited = [file for file in files if self.git.ask("status", "--porcelain", "--", file) != ""]
        if edited:
            raise ConfigError(*(f"{file}: has edits that are not committed; commit or undo them" for file in edited))

    def running(self, env: Environment) -> str:
        """Return the commit that `env` runs."""
        ref = self._ref_at(self.head, env)
        return self._on_branch(ref.commit or self._head_of(ref.branch or self.branch))

    def chosen(self, env: Environment, name: str) -> str:
        """Return the full name of a commit that `env` runs or has run."""
        commit = self._on_branch(name)
        if not any(self._covers(ref, until, commit) for until, ref in self._versions(env)):
            raise ConfigError(f"{commit}: {env.name} neither runs nor ran this commit; promote it to {env.name} first")
        return commit

    def between(self, old: str, new: str) -> tuple[str, ...]:
        """Return a line for each commit that `new` has and `old` has not; none where `old` is unknown."""
        lines = self.git.ask("rev-list", "--no-commit-header", "--format=%h %s", f"{old}..{new}")
        return tuple(lines.split("\n")) if lines else ()

    def _versions(self, env: Environment) -> Iterator[tuple[str, _Ref]]:
        """Yield each ref that the branch gave `env`, the newest first, with the last commit that had it."""
        until = self.head
        changes = self.git.ask("rev-list", "--first-parent", self.head, "--", str(source_file(env.name))) or ""
        for change in changes.split():
            with suppress(ConfigError):  # a version that Flux could not follow
                yield until, self._ref_at(change, env)
            until = f"{change}^"

    def _covers(self, ref: _Ref, until: str, commit: str) -> bool:
        if ref.commit:
            return ref.commit == commit
        return ref.branch == self.branch and self.is_ancestor(commit, until)

    def _ref_at(self, commit: str, env: Environment) -> _Ref:
        file = source_file(env.name)
        text = self.git.ask("show", f"{commit}:./{file}")
        if text is None:
            raise ConfigError(f"{file}: is not on branch {self.branch}; render {env.name} and commit it")
        try:
            return _ref(str(file), yaml.load(text, yaml.CSafeLoader))
        except yaml.YAMLError:
            raise ConfigError(f"{file}: is not YAML on branch {self.branch}; restore it from Git") from None

    def _head_of(self, branch: str) -> str:
        head = self._commit(f"refs/remotes/origin/{branch}") or self._commit(f"refs/heads/{branch}")
        if head is None:
            raise ConfigError(f"{self.repository}: has no branch {branch}; fetch it")
        return head

    def _on_branch(self, name: str) -> str:
        commit = self._commit(name)
        if commit is None:
            raise ConfigError(
                f"{name}: is no commit of {self.repository}, or of more than one name; fetch or correct it"
            )
        if not self.is_ancestor(commit, self.head):
            raise ConfigError(f"{commit}: is not on branch {self.branch}; merge it first")
        return commit

    def _commit(self, name: str) -> str | None:
        return self.git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Say whether `of` has all that `commit` has."""
        return self.git.run("merge-base", "--is-ancestor", commit, of).returncode == 0

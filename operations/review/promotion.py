"""Promotion as a pull request, with what it changes in the cluster."""

from __future__ import annotations

import tempfile
from pathlib import Path

from github.Repository import Repository

from constructs_lib.environment import Environment
from gitops_render.diff import diff
from gitops_render.diff_output import to_markdown
from gitops_render.pin import Pin, pin
from operations.clients.clone import Clone, cloned
from operations.clients.github import GitHub
from operations.console import say


def propose_promotion(
    github: GitHub, repository: Repository, source: Environment, target: Environment, commit: str | None
) -> str:
    """Open the pull request that lets `target` run what `source` runs, or find it, and return its body.

    The branch is named after the commit, so that a second run finds the first one's. Raises `ConfigError` as
    `pin` does, with nothing pushed.
    """
    with cloned(repository, github.token, source.gitops.default_branch) as clone:
        done = pin(clone.folder, source, target, commit)
        prefix = f"promote/{target.name}/"
        branch = f"{prefix}{done.new[:12]}"
        for number in github.supersede(repository, prefix, branch if done.changed else ""):
            say(f"closed pull request {number}, which something newer replaces")
        if not done.changed:
            say(f"{target.name}: runs {done.new} already")
            return f"{target.name} runs {done.new} already."
        title = f"Promote {target.name} to {done.new[:12]}"
        if not clone.has(f"refs/remotes/origin/{branch}"):
            clone.switch(branch)
            clone.commit(title)
            clone.push(branch)
        body = _body(source, target, done, _difference(clone, done, target))
        pull, made = github.propose(repository, branch, title, body)
        say(f"{target.name}: pull request {pull.number} {'opened' if made else 'is open'}: {done.old} -> {done.new}")
    return body


def _difference(clone: Clone, done: Pin, target: Environment) -> str:
    """Return how the objects of `target` differ between the two commits, as Markdown."""
    old = done.old.removeprefix("branch ")
    with tempfile.TemporaryDirectory(prefix="promotion-") as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        clone.export(old if old == done.old else f"origin/{old}", before)
        clone.export(done.new, after)
        found = [item for item in diff(before, after) if item.environment == target.name]
    # The root is read from the default branch, so what it says does not come by promotion.
    return to_markdown([item for item in found if item.area != "cluster"])


def _body(source: Environment, target: Environment, done: Pin, difference: str) -> str:
    lines = [f"Lets **{target.name}** run what **{source.name}** runs: `{done.old}` → `{done.new}`.", "", difference]
    if done.commits:
        lines += ["", "<details>", f"<summary>{len(done.commits)} commits</summary>", ""]
        lines += [f"- {commit}" for commit in done.commits] + ["", "</details>"]
    return "\n".join(lines)

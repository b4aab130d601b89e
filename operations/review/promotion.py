"""Promotion as a pull request, with what it changes in the cluster."""

from __future__ import annotations

import tempfile
from pathlib import Path

from github.Repository import Repository

from constructs_lib.environment import Environment
from gitops_render.diff import diff
from gitops_render.diff_output import to_markdown
from gitops_render.markdown import bold, code, details
from gitops_render.pin import Pin, pin
from operations.clients.clone import Clone, cloned
from operations.clients.github import GitHub
from operations.console import say


def propose_promotion(
    github: GitHub, repository: Repository, source: Environment, target: Environment, commit: str | None
) -> str:
    """Open the pull request that lets `target` run what `source` runs, or find it, and return its body.

    The branch is named after both commits, so that a second run finds the first one's, and a way back no branch that
    began before what it goes back from. Raises `ConfigError` as `pin` does, with nothing pushed.
    """
    with cloned(repository, github.token, source.gitops.default_branch) as clone:
        promotion = pin(clone.folder, source, target, commit)
        prefix = f"promote/{target.name}/"
        branch = f"{prefix}{_short(promotion.old)}-{promotion.new[:12]}"
        for number in github.supersede(repository, prefix, branch if promotion.changed else ""):
            say(f"closed pull request {number}, which something newer replaces")
        if not promotion.changed:
            say(f"{target.name}: runs {promotion.new} already")
            return f"{target.name} runs {promotion.new} already."
        title = f"Promote {target.name} to {promotion.new[:12]}"
        if not clone.has(f"refs/remotes/origin/{branch}"):
            clone.switch(branch)
            clone.commit(title)
            clone.push(branch)
        body = _body(source, target, promotion, _difference(clone, promotion, target))
        pull, opened = github.propose(repository, branch, title, body)
        way = f"{promotion.old} -> {promotion.new}"
        say(f"{target.name}: pull request {pull.number} {'opened' if opened else 'is open'}: {way}")
    return body


def _short(old: str) -> str:
    """Return what the target ran, for a branch's name: part of the commit, or the branch before its first pin."""
    return old.removeprefix("branch ")[:12]


def _difference(clone: Clone, promotion: Pin, target: Environment) -> str:
    """Return how the objects of `target` differ between the two commits, as Markdown."""
    old = promotion.old.removeprefix("branch ")
    with tempfile.TemporaryDirectory(prefix="promotion-") as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        clone.export(old if old == promotion.old else f"origin/{old}", before)
        clone.export(promotion.new, after)
        differences = [item for item in diff(before, after) if item.environment == target.name]
    # The root is read from the default branch, so what it says does not come by promotion.
    return to_markdown([item for item in differences if item.area != "cluster"])


def _body(source: Environment, target: Environment, promotion: Pin, difference: str) -> str:
    way = f"{code(promotion.old)} → {code(promotion.new)}"
    lines = [f"Lets {bold(target.name)} run what {bold(source.name)} runs: {way}.", "", difference]
    if promotion.commits:
        lines += details(f"{len(promotion.commits)} commits", (f"- {code(commit)}" for commit in promotion.commits))
    return "\n".join(lines)

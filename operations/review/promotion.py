"""Promotion as a pull request, with what it changes in the cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from github.Repository import Repository

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.transition import Transition
from constructs_lib.environment import Environment
from gitops_render.diff import Difference, diff, in_order
from gitops_render.diff_output import to_markdown
from gitops_render.markdown import bold, code, details
from gitops_render.pin import History, Pin, pin
from gitops_render.releases import made_by_charts
from gitops_render.settings import impossible, promoted, settings_transitions
from operations.clients.clone import Clone, cloned
from operations.clients.github import GitHub
from operations.review.verdict import Changes, verdicts


class Effects(NamedTuple):
    """What a promotion makes differ: settings, and objects in the cluster; `unjudged` could not be compared."""

    settings: Sequence[Transition]
    objects: Sequence[Difference]
    unjudged: Sequence[str] = ()


def propose_promotion(
    github: GitHub, repository: Repository, source: Environment, target: Environment, commit: str | None
) -> str:
    """Open the pull request that lets `target` run what `source` runs, or find it, and return its body.

    The branch is named after both commits, so that a second run finds the first one's, and a way back no branch that
    began before what it goes back from. Raises `ConfigError` as `pin` does, and for a change that is refused or leaves
    a step out, with nothing pushed.
    """
    with cloned(repository, github.token, source.gitops.default_branch) as clone:
        promotion = pin(clone.folder, source, target, commit)
        effects = _effect(clone, promotion, target) if promotion.changed else Effects([], [])
        back = promotion.changed and _is_back(clone, promotion, target)
        prefix = f"promote/{target.name}/"
        branch = f"{prefix}{_short(promotion.old)}-{promotion.new[:12]}"
        for number in github.supersede(repository, prefix, branch if promotion.changed else ""):
            say(f"closed pull request {number}, which something newer replaces")
        if not promotion.changed:
            say(f"{target.name}: runs {promotion.new} already")
            return f"{target.name} runs {promotion.new} already."
        title = f"{'Take' if back else 'Promote'} {target.name} {'back ' * back}to {promotion.new[:12]}"
        if not clone.has(f"refs/remotes/origin/{branch}"):
            clone.switch(branch)
            clone.commit(title)
            clone.push(branch)
        body = _body(_first_line(source, target, promotion, back=back), target, promotion, effects)
        pull, opened = github.propose(repository, branch, title, body)
        way = f"{promotion.old} -> {promotion.new}"
        say(f"{target.name}: pull request {pull.number} {'opened' if opened else 'is open'}: {way}")
    return body


def _short(old: str) -> str:
    """Return what the target ran, for a branch's name: part of the commit, or the branch before its first pin."""
    return old.removeprefix("branch ")[:12]


def _effect(clone: Clone, promotion: Pin, target: Environment) -> Effects:
    """Return what differs for `target` between the two commits. Raises `ConfigError` if it cannot be as it would."""
    old = promotion.old.removeprefix("branch ")
    with tempfile.TemporaryDirectory(prefix="promotion-") as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        clone.export(old if old == promotion.old else f"origin/{old}", before)
        clone.export(promotion.new, after)
        changed = settings_transitions(before, after).get(target.name, [])
        settings = promoted(changed)
        made = made_by_charts(before, after)
        # The root is read from the default branch, so what it says does not come by promotion.
        found = [item for item in diff(before, after) if item.area != "cluster"]
        objects = in_order(item for item in (*found, *made.objects) if item.environment == target.name)
    if problems := [f"{target.name}: {problem}" for problem in (*impossible(settings), *unchangeable(objects))]:
        raise ConfigError(*problems)
    return Effects(settings, objects, made.unjudged.get(target.name, ()))


def unchangeable(objects: Sequence[Difference]) -> Iterator[str]:
    """Yield a sentence for each object that the API server would not change so."""
    for item in objects:
        if item.refused:
            yield f"{item.identity}: the API server never changes {', '.join(item.refused)}; choose another commit"


def _is_back(clone: Clone, promotion: Pin, target: Environment) -> bool:
    """Say whether the target goes back to what it, or its branch, had before."""
    old = promotion.old.removeprefix("branch ")
    history = History(clone.folder, target.gitops.default_branch)
    return old == promotion.old and history.is_ancestor(promotion.new, old)


def _first_line(source: Environment, target: Environment, promotion: Pin, *, back: bool) -> str:
    way = f"{code(promotion.old)} → {code(promotion.new)}"
    if back:
        return f"Takes {bold(target.name)} back to what {bold(source.name)} runs or ran: {way}."
    return f"Lets {bold(target.name)} run what {bold(source.name)} runs: {way}."


def _body(first: str, target: Environment, promotion: Pin, effects: Effects) -> str:
    unjudged = {target.name: effects.unjudged}
    (verdict,) = verdicts(Changes({target.name: effects.settings}, [], effects.objects, {}, unjudged))
    lines = [first, "", *verdict.markdown(), "", to_markdown(effects.objects)]
    if promotion.commits:
        lines += details(f"{len(promotion.commits)} commits", (f"- {code(commit)}" for commit in promotion.commits))
    return "\n".join(lines)

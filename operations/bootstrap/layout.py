"""The GitOps repository's content: seeded once, and repaired by pull request afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from github.Repository import Repository

from constructs_lib.base.console import say, step
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import TIERS, Environment
from gitops_render.markdown import code, details
from gitops_render.paths import CLUSTER, Place, source_file
from gitops_render.pin import follow
from gitops_render.repository import INDEX_NAME, render_repository, without_file
from gitops_render.tree import Rendered, render
from gitops_render.write import edited, write_all
from operations.clients.clone import Clone, cloned
from operations.clients.github import GitHub

PREFIX = "layout/"
"""How the branches begin that repair the layout."""

MOVING = TIERS[0]
"""The tier that follows the default branch; the others are pinned."""


def ensure_layout(
    github: GitHub, repository: Repository, environments: Sequence[Environment], chosen: Sequence[Environment]
) -> None:
    """Bring the layout of the `chosen` ones of all `environments` to what is rendered.

    An empty repository is seeded: one commit with the tree, one that pins the later environments to it, one push.
    Otherwise what differs is proposed in a pull request; nothing is ever forced.
    """
    trees = {INDEX_NAME: render_repository(environments), **{env.name: render(env) for env in chosen}}
    gitops = environments[0].gitops
    with step(f"{gitops.full_name}: clone"), cloned(repository, github.token, gitops.default_branch) as clone:
        if clone.empty:
            _seed(clone, trees, chosen)
            say(f"{gitops.full_name}: seeded branch {clone.branch}")
        else:
            _repair(github, repository, clone, trees)


def broken_layout(
    github: GitHub, repository: Repository, environments: Sequence[Environment], chosen: Sequence[Environment]
) -> list[str]:
    """Return the paths that differ from what is rendered for the `chosen` ones, and folders of no environment."""
    trees = {INDEX_NAME: render_repository(environments), **{env.name: render(env) for env in chosen}}
    gitops = environments[0].gitops
    with cloned(repository, github.token, gitops.default_branch) as clone:
        ended = without_file(clone.folder, [env.name for env in environments])
        _write(clone.folder, trees)
        return [*clone.changed(), *(str(Place(name, CLUSTER).path) for name in ended)]


def _seed(clone: Clone, trees: dict[str, Rendered], chosen: Sequence[Environment]) -> None:
    _write(clone.folder, trees)
    first = clone.commit("Seed the platform of every environment")
    pinned = [env for env in chosen if env.tier != MOVING]
    for env in pinned:
        follow(clone.folder / source_file(env.name), clone.branch, first)
    if pinned:
        clone.commit(f"Pin {', '.join(env.name for env in pinned)} to the first commit")
    clone.push(clone.branch)


def _repair(github: GitHub, repository: Repository, clone: Clone, trees: dict[str, Rendered]) -> None:
    by_hand = [str(path) for name, rendered in trees.items() for path in edited(clone.folder, name, rendered)]
    _write(clone.folder, trees)
    changed = clone.changed()
    branch = f"{PREFIX}{clone.tree()[:12]}"
    full_name = repository.full_name
    for number in github.supersede(repository, PREFIX, branch if changed else ""):
        say(f"{full_name}: closed pull request {number}, which something newer replaces")
    if not changed:
        say(f"{full_name}: the layout is as it should be")
        return
    for path in by_hand:
        say(f"{full_name}: {path} was edited by hand")
    if not clone.has(f"refs/remotes/origin/{branch}"):
        clone.switch(branch)
        clone.commit("Bring the layout to what is rendered")
        clone.push(branch)
    pull, opened = github.propose(repository, branch, "Bring the layout to what is rendered", _body(changed, by_hand))
    say(f"{full_name}: pull request {pull.number} {'opened' if opened else 'is open'}, {len(changed)} files")


def _write(folder: Path, trees: dict[str, Rendered]) -> None:
    write_all(folder, trees, overwrite=True)


def _body(changed: Sequence[str], by_hand: Sequence[str]) -> str:
    lines = ["The repository differs from what the environment files render."]
    if by_hand:
        lines += ["", f"Edited by hand, and put back here (move the change to {code('environments/')} to keep it):", ""]
        lines += [f"- {code(path)}" for path in by_hand]
    lines += details(f"{len(changed)} files", (f"- {code(path)}" for path in changed))
    return "\n".join(lines) + "\n"


def refuse_other_repository(environments: Sequence[Environment], organisation: str, repository: str) -> None:
    """Raise `ConfigError` if a workflow was started for another repository than the environment files name."""
    gitops = environments[0].gitops
    given = {"organisation": (organisation, gitops.organisation), "repository": (repository, gitops.repository)}
    problems = [
        f"environments/*.yaml: gitops.{key}: is '{named}', asked for was '{asked}'; make them equal"
        for key, (asked, named) in given.items()
        if asked and asked != named
    ]
    if problems:
        raise ConfigError(*problems)

"""What a pull request in the GitOps repository may change: the check that its ruleset requires.

Each changed file has to be what the environment files render, a sealed Secret, a promotion, or an application's own;
all else is refused. This program and the environment files come from the infrastructure repository, and what they are
compared with from the default branch, so that a change says nothing about itself (docs/decisions/0036-the-gate.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from constructs_lib.environment import Environment
from gitops_render.paths import APPS, KUSTOMIZATION, Place, index_file, sealed_file, sealed_folder, source_file
from gitops_render.repository import INDEX_NAME, recipients, render_repository
from gitops_render.tree import Files, Rendered, listing, render
from gitops_render.validate.change import PLAIN, Change, Entry
from gitops_render.validate.promoted import promotion_problems
from gitops_render.validate.sealed import sealed_problems
from gitops_render.write import index_of, parsed_index
from gitops_render.yaml_output import to_yaml

NOBODYS = "is neither rendered, sealed, promoted nor an application's; undo the change, or put the file under apps/"


class Allowed:
    """What a change may be: it follows from the environment files."""

    def __init__(self, environments: Sequence[Environment]) -> None:
        self.environments = environments
        trees = {**{env.name: render(env) for env in environments}, INDEX_NAME: render_repository(environments)}
        self.owned = {name: _entries(name, tree) for name, tree in trees.items()}
        self.seeds = {path: data for tree in trees.values() for path, data in tree.seeds.items()}

    def problems(self, change: Change) -> list[str]:
        """Return a sentence for each thing in which a change is more than it may be. Raises `ConfigError` as Git."""
        rendered = [_stale(change, name) | owned for name, owned in self.owned.items()]
        found = {problem for files in rendered for problem in _not_rendered(change, files)}
        done = {path for files in rendered for path in files}
        others = _Others(change, self.environments, self.seeds)
        for path in change.paths:
            if path not in done:
                found |= {f"{path}: {problem}" for problem in others.problems(path)}
        return sorted(found)


def _entries(name: str, tree: Rendered) -> dict[PurePosixPath, Entry | None]:
    """Return what rendering owns of an environment, or of what all share, with what has to be there."""
    owned = tree.written | {index_file(name): index_of(tree.written)}
    return {path: Entry.of(data) for path, data in owned.items()}


def _stale(change: Change, name: str) -> dict[PurePosixPath, Entry | None]:
    """Return what rendering owned of it so far: nothing has to be there any more, unless it still owns that."""
    index = index_file(name)
    old = change.old(index)
    return {} if old is None else dict.fromkeys(map(PurePosixPath, parsed_index(index, old)))


def _not_rendered(change: Change, files: Mapping[PurePosixPath, Entry | None]) -> Iterator[str]:
    """Yield what is not as it is rendered, if the change touches these files at all: they go together."""
    if not files.keys().isdisjoint(change.paths):
        for path, entry in files.items():
            if change.after.get(path) != entry:
                yield (
                    f"{path}: is not what the environment files of the infrastructure repository render; change those, "
                    "and let `bootstrap layout` propose what follows"
                )


class _Others:
    """The files that rendering does not own."""

    def __init__(self, change: Change, environments: Sequence[Environment], seeds: Files) -> None:
        self.change, self.environments, self.seeds = change, environments, seeds
        self.known = {env.name: env for env in environments}

    def problems(self, path: PurePosixPath) -> Iterator[str]:
        """Yield in what the change of a file is more than it may be, which may be said of another file too."""
        entry = self.change.after.get(path)
        place = Place.of(path)
        env = self.known.get(place.environment) if place else None
        if entry is not None and entry.mode != PLAIN:
            yield "is no plain file; a program, a link or a module has no place here"
        elif path not in self.change.before and entry == Entry.of(self.seeds.get(path, NOBODYS.encode())):
            return  # a new environment, as it begins
        elif env is not None and place is not None:
            yield from self._problems_in(env, place, path)
        elif entry is not None or not self._is_gone(place, path):
            yield NOBODYS

    def _is_gone(self, place: Place | None, path: PurePosixPath) -> bool:
        """Say whether a file belonged to an environment that has no file any more."""
        indexes = map(index_file, {*self.known, INDEX_NAME})
        return place is not None or (path.parent == index_file(INDEX_NAME).parent and path not in indexes)

    def _problems_in(self, env: Environment, place: Place, path: PurePosixPath) -> Iterator[str]:
        if path == source_file(env.name):
            yield from promotion_problems(self.change, self.environments, env, self.seeds[path])
        elif path.parent == sealed_folder(env.name):
            yield from self._sealed_problems(env, path)
        elif place.area != APPS:
            yield NOBODYS

    def _sealed_problems(self, env: Environment, path: PurePosixPath) -> Iterator[str]:
        """Yield what is wrong with a sealed file, or with the list of them, which follows from the others."""
        folder, data = sealed_folder(env.name), self.change.new(path)
        if path != folder / KUSTOMIZATION:
            if not path.match(sealed_file(env.name, "?*").name):
                yield NOBODYS
            elif data is not None:
                yield from sealed_problems(path, data, frozenset(recipients(env)))
        names = sorted(other.name for other in self.change.after if other.parent == folder)
        expected = to_yaml(listing([name for name in names if name != KUSTOMIZATION]))
        if names and self.change.after.get(folder / KUSTOMIZATION) != Entry.of(expected):
            yield f"{KUSTOMIZATION} beside it has to list the folder's files and nothing else; write it with `seal`"

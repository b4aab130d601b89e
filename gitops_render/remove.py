"""Taking the tree of an environment that has ended out of the GitOps repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.environment import ENVIRONMENTS
from gitops_render import journal
from gitops_render.paths import APPS, CLUSTER, Place, index_file, settings_file
from gitops_render.repository import without_file
from gitops_render.write import refuse_links, writing


def remove(root: Path, name: str, environments: Iterable[str]) -> list[PurePosixPath]:
    """Remove every file of an environment below `root`, those of its applications too, and return their paths.

    Raises `ConfigError`, with nothing removed, for one of `environments`, and for one of which nothing is there.
    """
    if name in environments:
        raise ConfigError(f"{ENVIRONMENTS / f'{name}.yaml'}: is there; end the environment and remove its file first")
    ended = without_file(root, environments)
    if name not in ended:
        raise ConfigError(f"{root}: {unknown('tree without an environment file', name, ended)}")
    paths = sorted(_files(root, name))
    refuse_links(root, paths)
    with writing(root):
        journal.put(root, {path: journal.bytes_in(root / path) for path in paths}, {}, paths)
    return paths


def _files(root: Path, name: str) -> Iterator[PurePosixPath]:
    for area in (CLUSTER, "*", APPS):
        for folder in root.glob(str(Place(name, area).path)):
            inside = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
            yield from (PurePosixPath(path.relative_to(root)) for path in inside)
    yield from (path for path in (index_file(name), settings_file(name)) if (root / path).exists())

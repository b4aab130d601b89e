"""Writing rendered trees beside files that belong to others.

An index for each environment records the files that rendering wrote, with their digests. Only those are ever replaced
or removed, and only while they are as they were written.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from constructs_lib.base.errors import ConfigError
from gitops_render import journal
from gitops_render.journal import bytes_in, digest
from gitops_render.paths import index_file
from gitops_render.place import refuse_place
from gitops_render.tree import Files, Rendered

_INDEX = TypeAdapter(dict[str, str])


class Written(NamedTuple):
    """What `write` did, as paths in the output folder."""

    changed: tuple[PurePosixPath, ...]
    removed: tuple[PurePosixPath, ...]


class _Plan(NamedTuple):
    """What is to be done for an environment, and what the files hold now that it is done to; the index is the last."""

    found: dict[PurePosixPath, bytes | None]
    changed: Files
    removed: tuple[PurePosixPath, ...]


def write(output: Path, environment: str, rendered: Rendered, *, overwrite: bool = False) -> Written:
    """Bring the files of `environment` under `output` to what was rendered, as `write_all` does."""
    return write_all(output, {environment: rendered}, overwrite=overwrite)[environment]


def write_all(output: Path, trees: Mapping[str, Rendered], *, overwrite: bool = False) -> dict[str, Written]:
    """Bring the files under `output` to what was rendered for each environment: for all of them, or for none.

    All are checked, then staged, then renamed into place; a run that is cut is finished by the next (`journal`).
    Raises `ConfigError`, with nothing written, if a file was edited by hand or belongs to somebody else (unless
    `overwrite`), and if `output` cannot be written or is no place for a tree.
    """
    refuse_place(output)
    with writing(output):
        plans: dict[str, _Plan] = {}
        problems: list[str] = []
        for name, rendered in trees.items():
            try:
                plans[name] = _plan(output, name, rendered, overwrite=overwrite)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(*problems)
        _put(output, plans)
    return {name: _written(name, plan) for name, plan in plans.items()}


@contextmanager
def writing(output: Path) -> Generator[None]:
    """Hold off other runs that change `output`, and finish one that was cut. Raises `ConfigError` for an `OSError`."""
    with _reported(output), journal.alone(output):
        yield


def _plan(output: Path, environment: str, rendered: Rendered, *, overwrite: bool) -> _Plan:
    index = read_index(output, environment)
    stale = _stale(index, rendered.written)
    wanted = wanted_files(output, environment, rendered)
    refuse_links(output, (*wanted, *stale))
    found = {path: bytes_in(f"{output}/{path}") for path in (*wanted, *stale)}
    if not overwrite:
        ours = {path: found[path] for path in (*rendered.written, *stale)}
        _refuse(output, index, _foreign(index, rendered.written, ours))
    changed = {path: data for path, data in wanted.items() if found[path] != data}
    return _Plan({path: found[path] for path in (*changed, *stale)}, changed, tuple(stale))


def _put(output: Path, plans: Mapping[str, _Plan]) -> None:
    found = {path: data for plan in plans.values() for path, data in plan.found.items()}
    files = {path: data for plan in plans.values() for path, data in plan.changed.items()}
    indices = [path for path in map(index_file, plans) if path in files]
    files |= {path: files.pop(path) for path in indices}
    removed = tuple(path for plan in plans.values() for path in plan.removed)
    if files or removed:
        journal.put(output, found, files, removed)


def _written(environment: str, plan: _Plan) -> Written:
    return Written(tuple(path for path in plan.changed if path != index_file(environment)), plan.removed)


def refuse_links(output: Path, paths: Iterable[PurePosixPath]) -> None:
    """Raise `ConfigError` for links on the way: what is behind one belongs to somebody else."""
    places = {str(path) for path in paths}
    inner = places
    while inner := {place.rpartition("/")[0] for place in inner} - places - {""}:
        places |= inner
    # Paths as text, here and where files are read: for thousands of them pathlib takes longer than the disk.
    if links := sorted(place for place in places if os.path.islink(f"{output}/{place}")):  # noqa: PTH114
        raise ConfigError(
            *(f"{output / link}: is a link; put a folder or file in its place, or remove it" for link in links)
        )


def wanted_files(output: Path, environment: str, rendered: Rendered) -> Files:
    """Return what should be in `output`: the owned files, seeds that nobody wrote yet, and, last, the index."""
    seeds = {path: data for path, data in rendered.seeds.items() if not (output / path).exists()}
    return rendered.written | seeds | {index_file(environment): index_of(rendered.written)}


def index_of(owned: Files) -> bytes:
    """Return the index that says of these files that rendering wrote them."""
    digests = {str(path): digest(data) for path, data in owned.items()}
    return to_json(dict(sorted(digests.items())), indent=1) + b"\n"


def _stale(index: dict[str, str], owned: Files) -> list[PurePosixPath]:
    """Return what was written before and is not rendered any more."""
    names = {str(path) for path in owned}
    others = (PurePosixPath(name) for name in index if name not in names)
    return [path for path in others if path not in owned]


def edited(output: Path, environment: str, rendered: Rendered) -> list[PurePosixPath]:
    """Return the files under `output` that rendering would replace though it did not write what they hold now."""
    index = read_index(output, environment)
    found = {path: bytes_in(output / path) for path in (*rendered.written, *_stale(index, rendered.written))}
    return _foreign(index, rendered.written, found)


def _foreign(index: dict[str, str], owned: Files, found: dict[PurePosixPath, bytes | None]) -> list[PurePosixPath]:
    """Return the files that were found with neither what was written before nor what is to be written."""
    return sorted(path for path, data in found.items() if _is_foreign(path, data, index, owned))


def _is_foreign(path: PurePosixPath, data: bytes | None, index: dict[str, str], owned: Files) -> bool:
    """Say whether a file is neither what was written before nor what is to be written now."""
    return data is not None and data != owned.get(path) and digest(data) != index.get(str(path))


def _refuse(output: Path, index: dict[str, str], foreign: list[PurePosixPath]) -> None:
    problems: list[str] = []
    for path in foreign:
        why = "was edited by hand" if str(path) in index else "was not written by this tool"
        problems.append(
            f"{output / path}: {why}; move the change to environments/, or render with --overwrite to lose it"
        )
    if problems:
        raise ConfigError(*problems)


def difference(output: Path, environment: str, rendered: Rendered) -> list[str]:
    """Return a unified diff, line by line, from the files in `output` to what was rendered; empty if they are equal.

    Raises `ConfigError` as `write` does for an index or a folder that cannot be used.
    """
    with _reported(output):
        return list(_differences(output, environment, rendered))


def cut_before(output: Path) -> list[str]:
    """Return a line if a run that changed the folder was cut: what differs is not said before it is finished."""
    return [f"{output}: a run was cut while it changed this folder; render, which finishes it"] * journal.was_cut(
        output
    )


def _differences(output: Path, environment: str, rendered: Rendered) -> Iterator[str]:
    wanted: dict[PurePosixPath, bytes | None] = dict(wanted_files(output, environment, rendered))
    wanted |= dict.fromkeys(_stale(read_index(output, environment), rendered.written))
    for path in sorted(wanted):
        yield from _file_difference(output / path, path, wanted[path])


def _file_difference(file: Path, path: PurePosixPath, wanted: bytes | None) -> Iterator[str]:
    found = bytes_in(file)
    if found == wanted:
        return iter(())
    old, new = ("/dev/null" if data is None else f"{side}/{path}" for side, data in (("a", found), ("b", wanted)))
    return unified_diff(_text_lines(found), _text_lines(wanted), old, new, lineterm="")


def _text_lines(data: bytes | None) -> list[str]:
    return (data or b"").decode(errors="replace").splitlines()


def read_index(output: Path, environment: str) -> dict[str, str]:
    """Return the digest of each file that rendering `environment` wrote before, by its path.

    Raises `ConfigError` if the index was edited.
    """
    path = output / index_file(environment)
    data = bytes_in(path)
    return {} if data is None else parsed_index(path, data)


def parsed_index(path: PurePath, data: bytes) -> dict[str, str]:
    """Return what the index at `path` holds. Raises `ConfigError` as `read_index` does."""
    try:
        index = _INDEX.validate_json(data)
    except ValidationError:
        raise ConfigError(f"{path}: is not a render index; restore it from Git") from None
    if any(name.startswith("/") or ".." in name.split("/") for name in index):
        raise ConfigError(f"{path}: names a file outside the output folder; restore it from Git")
    return index


def changed_files(old: Path, new: Path) -> dict[str, list[str]]:
    """Return the files that rendering wrote otherwise in `new` than in `old`, by environment, or the name for all.

    Raises `ConfigError` as `read_index` does.
    """
    names = {path.stem for root in (old, new) for path in (root / index_file("").parent).glob("*.json")}
    found = {name: dict(read_index(old, name).items() ^ read_index(new, name).items()) for name in sorted(names)}
    return {name: sorted(changed) for name, changed in found.items() if changed}


@contextmanager
def _reported(output: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{error.filename or output}: cannot be written: {error.strerror}; choose another --tree"
        ) from None

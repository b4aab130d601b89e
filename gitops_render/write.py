"""Writing a rendered tree beside files that belong to others.

An index for each environment records the files that rendering wrote, with their digests. Only those are ever replaced
or removed, and only while they are as they were written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from constructs_lib.base.errors import ConfigError
from gitops_render.paths import index_file
from gitops_render.tree import Files, Rendered

_INDEX = TypeAdapter(dict[str, str])


class Written(NamedTuple):
    """What `write` did, as paths in the output folder."""

    changed: tuple[PurePosixPath, ...]
    removed: tuple[PurePosixPath, ...]


def write(output: Path, environment: str, rendered: Rendered, *, overwrite: bool = False) -> Written:
    """Bring the files of `environment` under `output` to what was rendered.

    New contents are staged first and then renamed into place: a failure while writing leaves the old tree whole.
    Raises `ConfigError`, with nothing written, if a file was edited by hand or belongs to somebody else (unless
    `overwrite`), and if `output` cannot be written.
    """
    with _reported(output):
        index = read_index(output, environment)
        stale = _stale(index, rendered.written)
        wanted = wanted_files(output, environment, rendered)
        found = {path: _bytes_in(output / path) for path in (*wanted, *stale)}
        if not overwrite:
            ours = {path: found[path] for path in (*rendered.written, *stale)}
            _refuse(output, index, _foreign(index, rendered.written, ours))
        changed = tuple(path for path, data in wanted.items() if found[path] != data)
        removed = tuple(stale)
        if changed or removed:
            _put(output, {path: wanted[path] for path in changed}, removed)
    return Written(tuple(path for path in changed if path != index_file(environment)), removed)


def wanted_files(output: Path, environment: str, rendered: Rendered) -> Files:
    """Return what should be in `output`: the owned files, seeds that nobody wrote yet, and, last, the index."""
    seeds = {path: data for path, data in rendered.seeds.items() if not (output / path).exists()}
    return rendered.written | seeds | {index_file(environment): index_of(rendered.written)}


def index_of(owned: Files) -> bytes:
    """Return the index that says of these files that rendering wrote them."""
    digests = {str(path): _digest(data) for path, data in owned.items()}
    return (json.dumps(digests, indent=1, sort_keys=True) + "\n").encode()


def _stale(index: dict[str, str], owned: Files) -> list[PurePosixPath]:
    """Return what was written before and is not rendered any more."""
    names = {str(path) for path in owned}
    others = (PurePosixPath(name) for name in index if name not in names)
    return [path for path in others if path not in owned]


def _put(output: Path, files: Files, removed: tuple[PurePosixPath, ...]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".render-", dir=output))
    try:
        for number, data in enumerate(files.values()):
            (staging / str(number)).write_bytes(data)
        for folder in {path.parent for path in files}:
            (output / folder).mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(files):
            (staging / str(number)).replace(output / path)
        for path in removed:
            (output / path).unlink(missing_ok=True)
            _remove_empty(output, (output / path).parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def edited(output: Path, environment: str, rendered: Rendered) -> list[PurePosixPath]:
    """Return the files under `output` that rendering would replace though it did not write what they hold now."""
    index = read_index(output, environment)
    found = {path: _bytes_in(output / path) for path in (*rendered.written, *_stale(index, rendered.written))}
    return _foreign(index, rendered.written, found)


def _foreign(index: dict[str, str], owned: Files, found: dict[PurePosixPath, bytes | None]) -> list[PurePosixPath]:
    """Return the files that were found with neither what was written before nor what is to be written."""
    return sorted(path for path, data in found.items() if _is_foreign(path, data, index, owned))


def _is_foreign(path: PurePosixPath, data: bytes | None, index: dict[str, str], owned: Files) -> bool:
    """Say whether a file is neither what was written before nor what is to be written now."""
    return data is not None and data != owned.get(path) and _digest(data) != index.get(str(path))


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


def _differences(output: Path, environment: str, rendered: Rendered) -> Iterator[str]:
    wanted: dict[PurePosixPath, bytes | None] = dict(wanted_files(output, environment, rendered))
    wanted |= dict.fromkeys(_stale(read_index(output, environment), rendered.written))
    for path in sorted(wanted):
        yield from _file_difference(output / path, path, wanted[path])


def _file_difference(file: Path, path: PurePosixPath, wanted: bytes | None) -> Iterator[str]:
    found = _bytes_in(file)
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
    data = _bytes_in(path)
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
            f"{error.filename or output}: cannot be written: {error.strerror}; choose another --output"
        ) from None


def _bytes_in(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _remove_empty(output: Path, folder: Path) -> None:
    while folder != output and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent

"""Changes of many files of a folder that happen all together, or not at all, however a run is cut.

What is new is staged beside its place and the intent is written down, with the digests of what was there and of what is
to be. From then on the changes happen: in this run, or at the start of the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ValidationError

from constructs_lib.base.errors import ConfigError

Files = Mapping[PurePosixPath, bytes]

STAGED = PurePosixPath(".render/staged")
"""The folder of what is staged, while a run goes on or after one that was cut."""
INTENT = "intent.json"


class Change(BaseModel):
    """A file's digest before and after; `None` where it is not there."""

    path: str
    old: str | None
    new: str | None


class Intent(BaseModel):
    """What a run is about to do, in this order; what is new is staged by its number."""

    changes: list[Change]


def digest(data: bytes | None) -> str | None:
    """Return what tells contents apart, or nothing for a file that is not there."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def bytes_in(path: Path | str) -> bytes | None:
    """Return what a file holds, or nothing if it is not there."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - half the time of Path.read_bytes, for thousands of files
            return file.read()
    except FileNotFoundError:
        return None


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Hold off other runs that change the folder, or the one above it in which it comes to be.

    What a run before was cut in is finished first.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    handle = os.open(there, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        recover(folder)
        yield
    finally:
        os.close(handle)


def was_cut(folder: Path) -> bool:
    """Say whether a run before was cut, and what it was in is not finished yet."""
    return (folder / STAGED).is_dir()


def recover(folder: Path) -> None:
    """Finish what a run was cut in once it had said what it intends; before that, take back what it had staged.

    A file that somebody changed since is left as it is. Raises `ConfigError` for an intent that no run wrote.
    """
    staged = folder / STAGED
    if not staged.is_dir():
        return
    data = bytes_in(staged / INTENT)
    if data is not None:
        try:
            intent = Intent.model_validate_json(data)
        except ValidationError:
            raise ConfigError(f"{staged / INTENT}: is not what a run wrote; remove {staged} and render") from None
        _carry_out(folder, intent, again=True)
    _clear(folder)


def put(
    folder: Path, found: Mapping[PurePosixPath, bytes | None], files: Files, removed: Sequence[PurePosixPath]
) -> None:
    """Write `files` and remove others; `found` is what all of them hold now."""
    changes = [Change(path=str(path), old=digest(found[path]), new=digest(data)) for path, data in files.items()]
    changes += [Change(path=str(path), old=digest(found[path]), new=None) for path in removed]
    intent = Intent(changes=changes)
    try:
        _stage(folder, intent, files.values())
    except OSError:
        _clear(folder)
        raise
    _carry_out(folder, intent)
    _clear(folder)


def replace(folder: Path, files: Files) -> None:
    """Write `files`, whatever their places hold now."""
    put(folder, {path: bytes_in(folder / path) for path in files}, files, ())


def _stage(folder: Path, intent: Intent, contents: Iterable[bytes]) -> None:
    staged = folder / STAGED
    staged.mkdir(parents=True)
    for number, data in enumerate(contents):
        (staged / str(number)).write_bytes(data)
    written = staged / f"{INTENT}.new"
    written.write_bytes(intent.model_dump_json().encode())
    written.replace(staged / INTENT)


def _carry_out(folder: Path, intent: Intent, *, again: bool = False) -> None:
    """Make the changes; `again` only those that are still to be made."""
    made: set[Path] = set()
    for number, change in enumerate(intent.changes):
        target, staged = folder / change.path, folder / STAGED / str(number)
        if not again or _is_due(change, target, staged):
            if change.new is None:
                target.unlink(missing_ok=True)
            else:
                if target.parent not in made:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.add(target.parent)
                staged.replace(target)
        if change.new is None:
            remove_empty(folder, target.parent)


def _is_due(change: Change, target: Path, staged: Path) -> bool:
    return digest(bytes_in(target)) == change.old and (change.new is None or staged.exists())


def _clear(folder: Path) -> None:
    """Remove what is staged: first what was not needed, then the intent, so that no cut leaves files without it."""
    staged = folder / STAGED
    for path in staged.glob("[0-9]*"):
        path.unlink()
    (staged / INTENT).unlink(missing_ok=True)
    shutil.rmtree(staged, ignore_errors=True)
    remove_empty(folder, staged.parent)


def remove_empty(folder: Path, inner: Path) -> None:
    """Remove an inner folder and those around it that hold nothing, up to `folder`."""
    while inner != folder and inner.is_dir() and not any(inner.iterdir()):
        inner.rmdir()
        inner = inner.parent

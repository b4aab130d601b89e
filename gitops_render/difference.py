"""What rendering would change in a folder, without changing it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path, PurePosixPath

from gitops_render.tree import Rendered
from gitops_render.write import read_index, wanted_files


def difference(output: Path, environment: str, rendered: Rendered) -> list[str]:
    """Return a unified diff, line by line, from the files in `output` to what was rendered; empty if they are equal.

    Raises `ConfigError` as `write` does for an index that cannot be read.
    """
    wanted: dict[PurePosixPath, bytes | None] = dict(wanted_files(output, environment, rendered))
    stale = (PurePosixPath(path) for path in read_index(output, environment))
    wanted |= {path: None for path in stale if path not in rendered.owned}
    return [line for path in sorted(wanted) for line in _lines(output / path, path, wanted[path])]


def _lines(file: Path, path: PurePosixPath, wanted: bytes | None) -> Iterator[str]:
    found = file.read_bytes() if file.exists() else None
    if found == wanted:
        return iter(())
    old, new = ("/dev/null" if data is None else f"{side}/{path}" for side, data in (("a", found), ("b", wanted)))
    return unified_diff(_text(found), _text(wanted), old, new, lineterm="")


def _text(data: bytes | None) -> list[str]:
    return (data or b"").decode(errors="replace").splitlines()

"""What a pinned thing is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["chart", "image", "source", "provider", "action", "package", "tool"]


class Pinned(NamedTuple):
    """One thing at one version, and the line of the file that says so.

    A `source` is a Git repository that Flux applies. `digest` is what the version was when it was looked up: that of an
    image, or the commit of a source or an action. A `version` without one is a name that its publisher can move.
    """

    kind: Kind
    name: str
    version: str
    file: str
    line: int
    digest: str | None = None

    @property
    def where(self) -> str:
        """File and line, as editors and terminals take them."""
        return f"{self.file}:{self.line}"


class Source(NamedTuple):
    """A file of the project, by its path in it."""

    path: str
    text: str

    @classmethod
    def read(cls, root: Path, path: Path) -> Source:
        """Return a file below `root`."""
        return cls(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))

    def line_of(self, offset: int) -> int:
        """Return the number of the line that holds a character, from 1."""
        return self.text.count("\n", 0, offset) + 1

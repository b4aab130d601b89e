"""A proposed change of the GitOps repository, read from Git's own store: nothing of it is checked out or run."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError
from gitops_render.pin import History

PLAIN = "100644"
"""Git's mode of a plain file: neither a program, a link nor another repository (git-scm.com, git-fast-import)."""


class Entry(NamedTuple):
    """What a commit has at a path: the mode, and the name of the content, which two equal contents share."""

    mode: str
    id: str

    @classmethod
    def of(cls, data: bytes) -> Entry:
        """Return the entry of a plain file that holds `data`."""
        return cls(PLAIN, hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())


Entries = dict[PurePosixPath, Entry]


class Change:
    """What the commit `head` does to the default branch, in a clone that has both."""

    def __init__(self, repository: Path, branch: str, head: str) -> None:
        """Raise `ConfigError` where the clone has no such commit, or the commit lacks what the branch has."""
        self.history = History(repository, branch)
        if not re.fullmatch("[0-9a-f]{40}", head):
            raise ConfigError(f"{head}: is no full name of a commit; give all 40 digits")
        self.head = head
        if self.history.git.ask("cat-file", "-t", head) != "commit":
            raise ConfigError(f"{head}: is no commit of {repository}; push the change to a branch of this repository")
        if not self.history.is_ancestor(self.history.head, head):
            raise ConfigError(f"{head}: lacks what is on branch {branch} meanwhile; update the change from that branch")

    @cached_property
    def before(self) -> Entries:
        """What the default branch has."""
        return self._entries(self.history.head)

    @cached_property
    def after(self) -> Entries:
        """What it would have with the change."""
        return self._entries(self.head)

    @cached_property
    def paths(self) -> list[PurePosixPath]:
        """The paths at which the two differ."""
        everything = self.before.keys() | self.after.keys()
        return sorted(path for path in everything if self.before.get(path) != self.after.get(path))

    def old(self, path: PurePosixPath) -> bytes | None:
        """Return what the default branch holds at `path`."""
        return self._content(self.before.get(path))

    def new(self, path: PurePosixPath) -> bytes | None:
        """Return what the change puts at `path`."""
        return self._content(self.after.get(path))

    def _content(self, entry: Entry | None) -> bytes | None:
        return None if entry is None else self.history.git.read("cat-file", "blob", entry.id)

    def _entries(self, commit: str) -> Entries:
        lines = self.history.git.read("ls-tree", "-r", "-z", "--full-tree", commit).decode(errors="surrogateescape")
        return dict(_entry(line) for line in lines.split("\0") if line)


def _entry(line: str) -> tuple[PurePosixPath, Entry]:
    """Return what a line of `git ls-tree` says: `<mode> <type> <id>`, a tab, and the path."""
    about, _, path = line.partition("\t")
    mode, _, id_ = about.split(" ")
    return PurePosixPath(path), Entry(mode, id_)

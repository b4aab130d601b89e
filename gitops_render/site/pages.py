"""The pages of the site as Markdown: those that the repository has, and those that are made from the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

FRONT = PurePosixPath("index.md")
README = PurePosixPath("README.md")
SUFFIXES = {".md", ".svg"}

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Start": ("docs/tutorial.md",),
    "How to": ("docs/how-to/*.md",),
    "Reference": ("reference/*.md",),
    "Environments": ("environments/*.md", "docs/layers.md"),
    "Operate": ("docs/security.md", "docs/runbooks/*.md"),
    "About": ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/decisions/*.md"),
}
"""The captions of the menu, each with its pages; a page stands below the first that names it."""

LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")

Pages = dict[PurePosixPath, str]


def written(root: Path) -> Pages:
    """Return the pages and pictures that the repository has, by their path in it; README is the front page."""
    files = [*root.glob("*.md"), *(root / "docs").rglob("*")]
    found = {PurePosixPath(file.relative_to(root)): file for file in sorted(files) if file.suffix in SUFFIXES}
    return {FRONT if path == README else path: file.read_text("utf-8") for path, file in found.items()}


def linked(pages: Pages) -> Pages:
    """Return the pages with links between them alone: what is elsewhere in the repository is named by its path."""
    return {path: _linked(path, text, pages.keys()) if path.suffix == ".md" else text for path, text in pages.items()}


def _linked(page: PurePosixPath, text: str, known: Iterable[PurePosixPath]) -> str:
    here, pages = page.parent, set(known)

    def to_page(match: re.Match[str]) -> str:
        mark, label, target, anchor = match.groups(default="")
        path = PurePosixPath(normpath(here / target))
        for there in (FRONT if path == README else path, path / "README.md", path / "index.md"):
            if there in pages:
                return f"{mark}[{label}]({relpath(there, here)}{anchor})"
        return label if label.strip("`").rstrip("/") == str(path) else f"{label} (`{path}`)"

    return LINK.sub(to_page, text)


def with_menu(pages: Pages) -> Pages:
    """Return the pages with the front page's menu of all others."""
    left = [path for path in pages if path.suffix == ".md" and path != FRONT]
    lines: list[str] = []
    for caption, patterns in SECTIONS.items():
        inside = dict.fromkeys(path for pattern in patterns for path in left if _is_in(path, pattern))
        left = [path for path in left if path not in inside]
        lines += _menu(caption, inside)
    return {**pages, FRONT: "\n".join([pages[FRONT], *lines, ""])}


def _is_in(path: PurePosixPath, pattern: str) -> bool:
    return path.parent == PurePosixPath(pattern).parent and path.match(pattern)


def _menu(caption: str, inside: Iterable[PurePosixPath]) -> Iterator[str]:
    yield from ("", "```{toctree}", ":hidden:", f":caption: {caption}", "", *map(str, inside), "```")

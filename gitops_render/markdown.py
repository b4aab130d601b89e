"""Markdown as GitHub shows it: tables, folded blocks, and text that is shown as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from constructs_lib.base.errors import cut_short

Cell = str | int


def escaped(text: str) -> str:
    """Return text that is shown as it is where Markdown has no meaning of its own: in HTML, and in cells of a table."""
    return escape(text).replace("|", "&#124;")


def first_paragraph(text: str) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join(text.partition("\n\n")[0].split())


def code(text: str) -> str:
    """Return text as code: HTML, for a span of Markdown ends at a backtick."""
    return f"<code>{escaped(text)}</code>"


def bold(text: str) -> str:
    """Return text in bold: HTML, which a summary can hold too."""
    return f"<b>{escaped(text)}</b>"


def listed(names: Sequence[str], most: int) -> str:
    """Return names as code, one after another; of those past `most` only how many."""
    return cut_short([*map(code, names)], most)


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """Yield the lines of a table. Columns of numbers stand to the right; text is shown as it is."""
    numbers = [bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(header))]
    yield _row(header)
    yield _row("---:" if right else "---" for right in numbers)
    yield from (_row(escaped(str(cell)) for cell in row) for row in rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def details(summary: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a block that is folded until its `summary` (HTML) is clicked; `lines` are Markdown."""
    yield from ("", "<details>", f"<summary>{summary}</summary>", "", *lines, "", "</details>")


def block(text: str) -> Iterator[str]:
    """Yield text of several lines as it is, such as a plan; what would end the block is written otherwise."""
    yield from ("```text", text.replace("```", "'''"), "```")

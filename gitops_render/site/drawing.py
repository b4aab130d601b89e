"""Pictures as SVG, from plain data: boxes in columns with arrows between them, a matrix of dots, and bars.

Text is as wide as its letters are many; nothing here knows what it draws.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

LETTER, LINE, PAD, GAP, AISLE = 7, 17, 10, 14, 50
STYLE = (
    "text{font:12px sans-serif;fill:#24292f}.small{font-size:11px;fill:#57606a}.head{font-weight:bold}"
    ".page{fill:#fff}.box{fill:#f6f8fa;stroke:#8c959f}.arrow{fill:none;stroke:#8c959f}.dot,.used{fill:#0969da}"
    ".grid{stroke:#eaeef2}.room{fill:#eaeef2}.least{stroke:#cf222e;stroke-width:2}"
)


class Box(NamedTuple):
    """A box with a name, and smaller lines below."""

    name: str
    lines: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Its width, by the longest of its lines."""
        return LETTER * max(map(len, (self.name, *self.lines))) + 2 * PAD

    @property
    def height(self) -> int:
        """Its height, by the number of its lines."""
        return LINE * (1 + len(self.lines)) + PAD


class Column(NamedTuple):
    """Boxes one below the other, and what is said above them."""

    title: str
    boxes: tuple[Box, ...]


class Bar(NamedTuple):
    """How much of what is there is used: `least` of it always is there, `most` at times."""

    name: str
    used: float
    least: float
    most: float
    said: str


class _Placed(NamedTuple):
    box: Box
    x: int
    y: int
    width: int


def columns(title: str, parts: Sequence[Column], arrows: Iterable[tuple[Box, Box]]) -> str:
    """Return columns of boxes, from left to right, and an arrow for each pair."""
    placed = {one.box: one for one in _placed(parts)}
    height = max(one.y + one.box.height for one in placed.values()) + GAP
    width = max(one.x + one.width for one in placed.values()) + GAP
    lefts = [placed[part.boxes[0]].x for part in parts]
    heads = (_text(x, GAP + PAD, part.title, "head") for x, part in zip(lefts, parts, strict=True) if part.title)
    lines = (_arrow(placed[source], placed[target]) for source, target in arrows)
    boxes = (line for one in placed.values() for line in _box(one))
    return _svg(title, width, height, (*lines, *heads, *boxes))


def matrix(title: str, rows: Sequence[str], across: Sequence[str], marks: Collection[tuple[str, str]]) -> str:
    """Return a row for each of `rows`, a column for each of `across`, and a dot for each pair of `marks`."""
    left, top, cell = LETTER * max(map(len, rows)) + 2 * PAD, LETTER * max(map(len, across)) + 2 * PAD, 24
    width, height = left + cell * len(across) + top, top + cell * len(rows) + GAP
    lines: list[str] = []
    for number, name in enumerate(rows):
        y = top + cell * number
        lines += [_text(PAD, y + 16, name), _line(left, y + 12, left + cell * len(across), y + 12, "grid")]
    for number, name in enumerate(across):
        x = left + cell * number + 12
        turned = f'<text x="{x}" y="{top - PAD}" transform="rotate(-60 {x} {top - PAD})">{escape(name)}</text>'
        lines += [turned, _line(x, top, x, height - GAP, "grid")]
    for source, target in sorted(marks):
        x, y = left + cell * across.index(target) + 12, top + cell * rows.index(source) + 12
        said = f"{escape(source)} to {escape(target)}"
        lines.append(f'<circle class="dot" cx="{x}" cy="{y}" r="5"><title>{said}</title></circle>')
    return _svg(title, width, height, lines)


def bars(title: str, found: Sequence[Bar]) -> str:
    """Return a bar for each: what is used of the most that there is, and a mark where the least ends."""
    left, full = LETTER * max(len(bar.name) for bar in found) + 2 * PAD, 420
    width = left + full + LETTER * max(len(bar.said) for bar in found) + 3 * PAD
    lines: list[str] = []
    for number, bar in enumerate(found):
        y, scale = GAP + (LINE + GAP) * number, full / max(bar.most, bar.used, 1e-9)
        least = round(left + bar.least * scale)
        lines += [
            _text(PAD, y + 13, bar.name),
            f'<rect class="room" x="{left}" y="{y}" width="{round(bar.most * scale)}" height="{LINE}"/>',
            f'<rect class="used" x="{left}" y="{y}" width="{round(bar.used * scale)}" height="{LINE}"/>',
            _line(least, y - 3, least, y + LINE + 3, "least"),
            _text(left + full + PAD, y + 13, bar.said, "small"),
        ]
    return _svg(title, width, GAP + (LINE + GAP) * len(found), lines)


def _placed(parts: Sequence[Column]) -> Iterator[_Placed]:
    x = GAP
    for part in parts:
        y = 2 * GAP + LINE
        width = max(LETTER * len(part.title), *(box.width for box in part.boxes))
        for box in part.boxes:
            yield _Placed(box, x, y, width)
            y += box.height + GAP
        x += width + AISLE


def _box(one: _Placed) -> Iterator[str]:
    size = f'width="{one.width}" height="{one.box.height}"'
    yield f'<rect class="box" x="{one.x}" y="{one.y}" {size} rx="4"/>'
    yield _text(one.x + PAD, one.y + LINE, one.box.name)
    for number, line in enumerate(one.box.lines, 2):
        yield _text(one.x + PAD, one.y + LINE * number, line, "small")


def _arrow(source: _Placed, target: _Placed) -> str:
    """Return a curve from the right side of a box to the left side of another, or around on the left of both."""
    y, end = source.y + source.box.height // 2, target.y + target.box.height // 2
    if source.x == target.x:
        x, bow = source.x, source.x - AISLE // 2
        path = f"M{x} {y}C{bow} {y} {bow} {end} {x} {end}"
    else:
        x, bend = source.x + source.width, AISLE // 2
        path = f"M{x} {y}C{x + bend} {y} {target.x - bend} {end} {target.x} {end}"
    said = f"{escape(source.box.name)} to {escape(target.box.name)}"
    return f'<path class="arrow" marker-end="url(#tip)" d="{path}"><title>{said}</title></path>'


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    styled = f' class="{kind}"' if kind else ""
    return f'<text{styled} x="{x}" y="{y}">{escape(text)}</text>'


def _line(x: int, y: int, to_x: int, to_y: int, kind: str) -> str:
    return f'<line class="{kind}" x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"/>'


def _svg(title: str, width: int, height: int, lines: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8c959f"/></marker></defs>'
    )
    page = f'<rect class="page" width="{width}" height="{height}"/>'
    return "\n".join([head, f"<title>{escape(title)}</title><style>{STYLE}</style>{tip}", page, *lines, "</svg>\n"])

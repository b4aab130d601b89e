"""Draws the platform of production, or the layout of its overview dashboard, from the model.

`make picture` writes docs/platform.svg and docs/overview.svg. The latter shows which panels there are and where, and no
data: nothing ran.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from constructs_lib.environment import load
from constructs_lib.health.dashboard import WIDTH, Dashboard, Panel, Position, Row, placed
from constructs_lib.platform.observability.dashboards import overview
from constructs_lib.platform.observability.slos import health
from gitops_render.site.platform import platform

CELL_WIDTH, CELL_HEIGHT, GAP = 40, 24, 3
KINDS = {"stat": "last value", "table": "table", "timeseries": "over time"}
STYLE = (
    "text{font:11px sans-serif;fill:#24292f}.kind{font-size:10px;fill:#6e7781}.row{font-weight:bold}"
    ".panel{fill:#f6f8fa;stroke:#d0d7de}.page{fill:#fff}"
)


def picture(dashboard: Dashboard) -> str:
    """Return an SVG with a box for each panel, its title and how it shows its query."""
    items = list(placed(dashboard))
    height = max(place.y + place.height for _, place in items) * CELL_HEIGHT
    width = WIDTH * CELL_WIDTH
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    page = f'<rect class="page" width="{width}" height="{height}"/>'
    boxes = (line for item, place in items for line in _drawn(item, place))
    return "\n".join(
        [head, f"<title>{escape(dashboard.title)}</title><style>{STYLE}</style>", page, *boxes, "</svg>\n"]
    )


def _drawn(item: Row | Panel, place: Position) -> Iterator[str]:
    x, y = place.x * CELL_WIDTH + GAP, place.y * CELL_HEIGHT + GAP
    if isinstance(item, Row):
        yield f'<text class="row" x="{x + 4}" y="{y + 15}">{escape(item.title)}</text>'
        return
    width, height = place.width * CELL_WIDTH - 2 * GAP, place.height * CELL_HEIGHT - 2 * GAP
    yield f'<rect class="panel" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>'
    yield f'<text x="{x + 8}" y="{y + 18}">{escape(item.title)}</text>'
    yield f'<text class="kind" x="{x + 8}" y="{y + 34}">{KINDS[item.kind]}, {escape(item.unit)}</text>'


def drawn(name: str) -> str:
    """Return the picture of that name."""
    env = load(Path("environments/production.yaml"))
    return {"platform": lambda: platform(env), "overview": lambda: picture(overview(health(env).values()))}[name]()


if __name__ == "__main__":
    sys.stdout.write(drawn(sys.argv[1]))

"""The part of a pod that the page for applications prints: it restarts once its password is another."""

from __future__ import annotations

import re
from typing import Any

from tests.support import ROOT, parsed

PAGE = ROOT / "docs/how-to/add-an-application.md"


def restarting() -> dict[str, Any]:
    """Return what the page says of a pod."""
    (block,) = re.findall(r"^```text\n(volumes: .*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return parsed(block)

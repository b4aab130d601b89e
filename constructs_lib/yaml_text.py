"""Patches as text, as kustomize takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_patch(added: Mapping[str, Any]) -> str:
    """Return the JSON patch (RFC 6902) that adds a value at each path, a line for each."""
    lines = (json.dumps({"op": "add", "path": path, "value": value}) for path, value in added.items())
    return "[\n" + ",\n".join(lines) + "\n]\n"

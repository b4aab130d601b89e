"""Examples of settings: what the shipped files say, and the blocks of YAML in the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from constructs_lib.environment import Environment, environment_paths, read
from constructs_lib.platform import Platform

LEFT_OUT = "…"
"""What a page writes where an example is not whole."""

Settings = dict[str, Any]


def examples(docs: Path) -> list[Settings]:
    """Return settings as environment files have them: whole ones that are shipped, then parts from pages of `docs`."""
    shipped: list[Settings] = [read(path).data for path in environment_paths()]
    return [*shipped, *(found for page in sorted(docs.glob("*.md")) for found in in_page(page.read_text("utf-8")))]


def in_page(text: str) -> Iterator[Settings]:
    """Yield the parts of an environment's file that a page shows whole: from its top or from `platform` on."""
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        found = None if LEFT_OUT in block else yaml.safe_load(dedent(block))
        if isinstance(found, dict) and found.keys() <= Environment.model_fields.keys():
            yield found
        elif isinstance(found, dict) and found.keys() <= Platform.model_fields.keys():
            yield {"platform": found}

"""The whole of an environment, each default written out, and where each value comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from constructs_lib.base.yaml_input import Document
from constructs_lib.environment import Environment

COLUMN = 60
"""Where it begins to say where a value comes from, if the value leaves the room."""
DEFAULT = "default"

_PLAIN = re.compile(r"[A-Za-z_/][\w./@:-]*(?<!:)", re.ASCII)
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""What readers of some YAML take for something else than text."""

Steps = tuple[int | str, ...]


def shown(env: Environment, document: Document, component: str | None = None) -> Iterator[str]:
    """Yield the lines of all, or of one component: YAML, and in comments where each value is from, or `default`."""
    block = env.model_dump(mode="json")
    if component is not None:
        block = {"platform": {component: block["platform"][component]}}
    return _lines(block, (), document, "")


def _lines(block: dict[str, Any], steps: Steps, document: Document, indent: str) -> Iterator[str]:
    for key, value in block.items():
        yield from _entry(f"{indent}{_text(key)}:", value, (*steps, key), document, indent)


def _entry(head: str, value: Any, steps: Steps, document: Document, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield head
        yield from _lines(value, steps, document, f"{indent}  ")
    elif isinstance(value, list) and value and all(isinstance(item, dict) and item for item in value):
        yield head
        for number, item in enumerate(value):
            first, *rest = _lines(item, (*steps, number), document, f"{indent}    ")
            yield from (f"{indent}  - {first.lstrip()}", *rest)
    else:
        yield f"{head} {_text(value)}".ljust(COLUMN) + f"  # {_source(steps, document)}"


def _source(steps: Sequence[int | str], document: Document) -> str:
    return str(document.mark(steps)) if document.has(steps) else DEFAULT


def _text(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)

"""YAML that every reader takes for the same objects."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml
from pydantic_core import from_json, to_json

from constructs_lib.kit import Manifest

# Plain text that YAML 1.1 or 1.2, or Go's mixture of both, reads as a number, a boolean, null or a date.
_AMBIGUOUS = re.compile(r"[-+.\d].*|y|n|yes|no|on|off|true|false|null|~|", re.IGNORECASE | re.DOTALL)
_FIRST_KEYS = ("apiVersion", "kind", "metadata")


_TEXT = "tag:yaml.org,2002:str"

_REPRESENTER = yaml.representer.SafeRepresenter()
_RESOLVER = yaml.resolver.Resolver()

_MAPPING = yaml.MappingStartEvent(None, None, implicit=True, flow_style=False)
_MAPPING_END = yaml.MappingEndEvent()
_SEQUENCE = yaml.SequenceStartEvent(None, None, implicit=True, flow_style=False)
_SEQUENCE_END = yaml.SequenceEndEvent()


def to_yaml(manifest: Manifest) -> bytes:
    """Return `manifest` as YAML: `apiVersion`, `kind` and `metadata` first, all else in alphabetical order."""
    return _dumped(to_json(manifest))


@lru_cache(maxsize=4096)
def _dumped(text: bytes) -> bytes:
    """Dump what `text` holds as JSON. Most objects are the same in every environment, and JSON is quick to compare."""
    content: Manifest = from_json(text)
    events: list[yaml.Event] = [yaml.StreamStartEvent(encoding="utf-8"), yaml.DocumentStartEvent(explicit=False)]
    _add_mapping(sorted(content.items(), key=lambda item: (item[0] not in _FIRST_KEYS, item[0])), events)
    events += [yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent()]
    stream = io.BytesIO()
    yaml.emit(events, stream, yaml.CSafeDumper, allow_unicode=True, width=120)
    return stream.getvalue()


def _add(value: Any, events: list[yaml.Event]) -> None:
    """Add what PyYAML's emitter writes: its own way there, by a tree of nodes, takes more than twice as long."""
    kind = type(value)
    if kind is str:
        events.append(_text(value))
    elif kind is dict:
        _add_mapping(sorted(value.items()), events)
    elif kind is list:
        events.append(_SEQUENCE)
        for item in value:
            _add(item, events)
        events.append(_SEQUENCE_END)
    else:
        node = _REPRESENTER.represent_data(value)
        events.append(yaml.ScalarEvent(None, node.tag, (True, False), node.value))


def _add_mapping(items: Iterable[tuple[str, Any]], events: list[yaml.Event]) -> None:
    events.append(_MAPPING)
    for key, value in items:
        events.append(_text(key))
        _add(value, events)
    events.append(_MAPPING_END)


@lru_cache(maxsize=16384)
def _text(text: str) -> yaml.ScalarEvent:
    """Write long text as a block and quote what is ambiguous; PyYAML's resolver knows what only it takes for more."""
    style = "|" if "\n" in text else '"' if _AMBIGUOUS.fullmatch(text) else None
    plain = style is None and _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == _TEXT
    return yaml.ScalarEvent(None, _TEXT, (plain, True), text, style=style)

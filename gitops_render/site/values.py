"""What is said of one setting: its values in words, its default, its unit and an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from constructs_lib.base.quantities import EXPECTED
from constructs_lib.base.transition import models_of

Schema = Mapping[str, Any]

REQUIRED, BELOW = "required", "below"
LONGEST = 80
"""How many letters an example has at most."""

KINDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
    "string": "text",
}
BOUNDS = {"minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}", "exclusiveMaximum": "below {}"}
UNITS = {
    "seconds": "seconds",
    "_ms": "milliseconds",
    "percent": "percent",
    "objective": "percent",
    "objectives": "percent",
    "nodes": "nodes",
    "replicas": "pods",
    "instances": "pods",
    "shards": "primaries",
    "port": "port",
    "reaches": "port",
    "availability": "percent",
    "_id": "number at GitHub",
    "checks_app": "number at GitHub",
    "per_second": "requests a second",
    "connections": "connections",
    "connection_limit": "connections",
    "approvals": "reviews",
    "load_balancer_size": "size units",
    "generation": "number",
    "priority": "number",
}
"""The unit of a number, by how its key ends; what a text has to be says the units of amounts."""


def what(info: FieldInfo, setting: Schema) -> str:
    """Return what a setting is for, and what it has to be."""
    words = _words(setting)
    return f"{info.description.rstrip('.')}: {words}" if info.description else words[:1].upper() + words[1:]


def _words(setting: Schema) -> str:
    several = setting.get("anyOf") or setting.get("oneOf")
    if several:
        return _either(map(_words, several))
    if EXPECTED in setting or "$ref" in setting:
        return setting.get(EXPECTED, "a block")
    return _either(f"'{choice}'" for choice in _choices(setting)) or _kind(setting)


def _choices(setting: Schema) -> list[Any]:
    return setting.get("enum", [setting["const"]] if "const" in setting else [])


def _kind(setting: Schema) -> str:
    match setting.get("type"):
        case "array":
            return f"a list of {_words(setting['items'])}"
        case "object":
            return f"a map of {_words(_named(setting))}"
        case kind:
            bounds = [words.format(setting[key]) for key, words in BOUNDS.items() if key in setting]
            return " ".join([KINDS.get(kind or "", "anything"), *bounds])


def _either(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def _named(setting: Schema) -> Schema:
    """Return what the entries of a map are."""
    inner = setting.get("additionalProperties")
    return inner if isinstance(inner, dict) else next(iter(setting.get("patternProperties", {}).values()), {})


def default(info: FieldInfo) -> str:
    """Return what counts where a file does not say the setting."""
    if info.is_required():
        return REQUIRED
    value = info.get_default(call_default_factory=True, validated_data={})
    return BELOW if isinstance(value, BaseModel) else _shown(value)


def unit(key: str, setting: Schema) -> str:
    """Return the unit of a number; of what is none, nothing. Raises `StopIteration` for a number without."""
    kinds = {kind.get("type") for kind in (setting, _named(setting), *setting.get("anyOf", ()))}
    return next(word for end, word in UNITS.items() if key.endswith(end)) if kinds & {"integer", "number"} else ""


def example(values: Sequence[Any], info: FieldInfo, setting: Schema) -> str:
    """Return one of `values` that is short, one that the model names, or else one that would do."""
    if any("$ref" in kind for kind in (setting, *setting.get("anyOf", ()), *setting.get("oneOf", ()))):
        return BELOW
    named = (*values, *(info.examples or ()), *_examples(setting))
    short = (text for value in named if len(text := _shown(value)) <= LONGEST)
    return next(short, "") or (BELOW if any(models_of(info)) else _would_do(info, setting))


def _examples(setting: Schema) -> Iterator[Any]:
    """Yield the examples that the kinds of a value name."""
    such_as = re.search("such as '([^']+)'", setting.get(EXPECTED, ""))
    yield from (*setting.get("examples", ()), *([such_as[1]] if such_as else ()))
    for kind in setting.get("anyOf", ()):
        yield from _examples(kind)
    if "items" in setting:
        yield from ([inner] for inner in _examples(setting["items"]))
    if setting.get("type") == "object":
        name = setting.get("propertyNames", {}).get("enum", ["name"])[0]
        yield from ({name: inner} for inner in _examples(_named(setting)))


def _would_do(info: FieldInfo, setting: Schema) -> str:
    kinds = [setting, *setting.get("anyOf", ()), setting.get("items", {})]
    choices = [choice for kind in kinds for choice in _choices(kind)]
    if choices:
        return _shown([choices[-1]] if "items" in setting else choices[-1])
    return _shown(not info.default) if setting.get("type") == "boolean" else default(info)


def _shown(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str)

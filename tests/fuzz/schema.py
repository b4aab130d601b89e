"""Values from a JSON Schema: what it allows, so that the rules beyond it are met too."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from hypothesis import strategies as st

from constructs_lib.environment import Environment

Schema = dict[str, Any]
Values = st.SearchStrategy[Any]


@cache
def whole() -> Schema:
    """The schema of an environment file."""
    return Environment.model_json_schema()


def resolved(schema: Schema) -> Schema:
    """Return what a reference leads to, with what stands beside it."""
    while "$ref" in schema:
        schema = {
            **whole()["$defs"][schema["$ref"].rpartition("/")[2]],
            **{k: v for k, v in schema.items() if k != "$ref"},
        }
    return schema


def values(schema: Schema, depth: int = 0) -> Values:
    """Return a strategy of what a schema allows."""
    schema = resolved(schema)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return st.one_of([values(one, depth) for one in schema[key]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _OF_TYPE.get(schema.get("type", ""), _anything)(schema, depth)


def _object(schema: Schema, depth: int) -> Values:
    properties = schema.get("properties")
    if properties is None:
        names = {"type": "string", **resolved(schema.get("propertyNames", {"pattern": "^[a-z]{1,8}$"}))}
        inner = schema.get("additionalProperties", {})
        if "patternProperties" in schema:
            ((names["pattern"], inner),) = schema["patternProperties"].items()
        inside = values(inner, depth + 1) if isinstance(inner, dict) else _PLAIN
        return st.dictionaries(values(names), inside, max_size=2)
    required = set(schema.get("required", ()))
    given = {key: values(one, depth + 1) for key, one in properties.items() if key in required}
    free = {key: values(one, depth + 1) for key, one in properties.items() if key not in required}
    return st.fixed_dictionaries(given, optional=free if depth < 6 else {})


def _array(schema: Schema, depth: int) -> Values:
    return st.lists(values(schema.get("items", {}), depth + 1), min_size=schema.get("minItems", 0), max_size=2)


def _string(schema: Schema, _depth: int) -> Values:
    if "pattern" not in schema:
        return st.text(max_size=20)
    # As JSON Schema reads it (ECMA-262): a digit is one of ASCII.
    pattern: re.Pattern[str] = re.compile(schema["pattern"], re.ASCII)
    return st.from_regex(pattern, fullmatch=True).map(_short)


def _number(schema: Schema, _depth: int) -> Values:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -5))
    most = schema.get("maximum", schema.get("exclusiveMaximum", least + 10))
    if schema["type"] == "integer":
        return st.integers(least, most)
    return st.floats(least, most, allow_nan=False)


def _short(text: str) -> str:
    return text[:200]


def _boolean(_schema: Schema, _depth: int) -> Values:
    return st.booleans()


def _nothing(_schema: Schema, _depth: int) -> Values:
    return st.none()


def _anything(_schema: Schema, _depth: int) -> Values:
    return _PLAIN


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)
_OF_TYPE = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": _boolean,
    "null": _nothing,
}

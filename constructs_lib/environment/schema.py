"""The JSON Schema of the files in `environments/`, by which editors complete and check them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constructs_lib.environment.files import EXTENSION
from constructs_lib.environment.model import Environment

Schema = dict[str, Any]


def file_schema() -> Schema:
    """Return the schema of a file: nothing that another file may say for it is required.

    What is in a list is whole in one file, so there the required keys stay.
    """
    schema = Environment.model_json_schema()
    kinds = schema["$defs"]
    merged = set[str]()
    todo = [schema]
    while todo:
        block = todo.pop()
        block.pop("required", None)
        names = {name for inner in block.get("properties", {}).values() for name in _merged(inner)} - merged
        merged |= names
        todo += [kinds[name] for name in names]
    return schema | {"patternProperties": {f"^{EXTENSION}": {"description": "For anchors; not read."}}}


def _merged(setting: Schema) -> Iterator[str]:
    """Yield the blocks that a setting can be, alone or by name."""
    if "$ref" in setting:
        yield setting["$ref"].rpartition("/")[2]
    inner = setting.get("additionalProperties")
    for one in (*setting.get("anyOf", ()), *setting.get("oneOf", ()), *([inner] if isinstance(inner, dict) else ())):
        yield from _merged(one)

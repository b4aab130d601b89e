"""What may be sealed: complete Secrets in clear text. No sentence about them holds a value of theirs."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Manifest

FIELDS = ("data", "stringData")
"""Where a Secret holds its values."""


def secrets_in(where: str, text: str) -> list[Manifest]:
    """Return the Secrets in `text`, which is from `where`. Raises `ConfigError` if it holds anything else."""
    try:
        items = [item for item in yaml.load_all(text, yaml.CSafeLoader) if item is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{where}: cannot be read as YAML{line}; correct it, or put text in quotes") from None
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"{where}: cannot be read as YAML; correct it, or put text in quotes") from None
    if not items:
        raise ConfigError(f"{where}: holds no object; give it one or more Secrets")
    problems = [
        f"{where}: object {number}: {what}" for number, item in enumerate(items, 1) for what in _secret_problems(item)
    ]
    if problems:
        raise ConfigError(*problems)
    return items


def _secret_problems(item: Any) -> Iterator[str]:
    """Yield what keeps `item` from being sealed; what is said about a Secret needs it to be one."""
    if not isinstance(item, dict):
        yield f"must be a Secret, found {type(item).__name__}"
    elif (item.get("apiVersion"), item.get("kind")) != ("v1", "Secret"):
        yield f"must be a Secret of v1, found {item.get('kind')} of {item.get('apiVersion')}; only Secrets are sealed"
    elif not _keys_are_text(item):
        yield "has a key that is not text; put it in quotes"
    elif "sops" in item:
        yield "is sealed already; give the Secret in clear text"
    else:
        yield from metadata_problems(item.get("metadata"))
        if not any(item.get(field) for field in FIELDS):
            yield "has neither data nor stringData; add the values"
        for field in FIELDS:
            yield from _value_problems(field, item.get(field) or {})


def _keys_are_text(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _keys_are_text(item) for key, item in value.items())
    return all(map(_keys_are_text, value)) if isinstance(value, list) else True


def metadata_problems(metadata: Any) -> Iterator[str]:
    """Yield what a Secret's name and namespace lack."""
    for key in ("name", "namespace"):
        value = metadata.get(key) if isinstance(metadata, dict) else None
        if value is None:
            yield f"metadata.{key} is missing; add it"
        elif not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", value):
            yield f"metadata.{key} must be lower-case letters, digits, '-' and '.', found {value!r}"


def _value_problems(field: str, values: Any) -> Iterator[str]:
    if not isinstance(values, dict):
        yield f"{field} must hold keys and values"
        return
    for key, value in values.items():
        if not isinstance(value, str):
            yield f"{field}.{key} must be text; put it in quotes"
        elif field == "data" and decoded(value) is None:
            yield f"{field}.{key} is not base64; encode it, or move it to stringData"


def decoded(value: str) -> bytes | None:
    """Return what a value of `data` means, or nothing if it is no base64."""
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return None

"""Sealed Secrets read as data: nothing else may come in this way, and nothing in clear text.

What SOPS writes: https://getsops.io/docs/ and, for age, https://age-encryption.org/v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from gitops_render.clear_text import FIELDS, metadata_problems
from gitops_render.paths import sealed_name
from gitops_render.sops_config import ENCRYPTED

_CODE = "[A-Za-z0-9+/=]+"
_VALUE = re.compile(rf"ENC\[AES256_GCM,data:{_CODE},iv:{_CODE},tag:{_CODE},type:str\]")
_ARMOUR = re.compile(r"-----BEGIN AGE ENCRYPTED FILE-----\n[A-Za-z0-9+/=\n]+-----END AGE ENCRYPTED FILE-----\n?")
_HEAD = {"apiVersion": "v1", "kind": "Secret"}
_KEYS = {*_HEAD, *FIELDS, "metadata", "type", "immutable", "sops"}
_METADATA = {"name", "namespace", "labels", "annotations"}
_OF_SOPS = {
    "encrypted_regex": re.compile(re.escape(ENCRYPTED)),
    "lastmodified": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "mac": _VALUE,
    "version": re.compile(r"\d+\.\d+\.\d+"),
}
"""What SOPS writes beside the recipients. Whatever else it has, such as other kinds of keys, has to be empty."""
_EMPTY: tuple[Any, ...] = ("", "null", [], {})


def sealed_problems(path: PurePosixPath, data: bytes, recipients: frozenset[str]) -> Iterator[str]:
    """Yield what keeps the file at `path` from being one Secret that `recipients`, and nobody else, can read."""
    try:
        item = plain(data)
    except ValueError as error:
        yield str(error)
        return
    if not isinstance(item, dict) or any(item.get(key) != value for key, value in _HEAD.items()):
        yield "is no Secret of v1; only Secrets are sealed"
        return
    yield from (f"{key}: is no part of a sealed Secret; remove it" for key in sorted(item.keys() - _KEYS))
    yield from (f"{key}: must be text" for key in ("type", "immutable") if not isinstance(item.get(key, ""), str))
    yield from _metadata_problems(path, item.get("metadata"))
    yield from _value_problems(item)
    yield from _sops_problems(item.get("sops"), recipients)


def plain(data: bytes) -> Any:
    """Return what a YAML file holds, every value as text.

    Raises `ValueError` for what two readers could take for two things: more than one document, anchors, tags, keys that
    are there twice or are no text, and for comments, which SOPS leaves in clear text.
    """
    try:
        text = data.decode()
        if "#" in text:
            raise ValueError("holds '#', as comments do, which stay in clear text; remove it")
        for event in yaml.parse(text, yaml.CSafeLoader):
            if getattr(event, "anchor", None) or getattr(event, "tag", None) or getattr(event, "version", None):
                raise ValueError("has an anchor, a tag or a directive; write it without")
        documents = list(yaml.compose_all(text, yaml.CSafeLoader))
        if len(documents) != 1:
            raise ValueError(f"holds {len(documents)} documents; give each Secret a file of its own")
        return _value(documents[0])
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError):
        raise ValueError("cannot be read as YAML; seal it again") from None


def _value(node: yaml.Node) -> Any:
    match node:
        case yaml.SequenceNode():
            return [_value(item) for item in node.value]
        case yaml.MappingNode():
            keys = [key.value for key, _ in node.value]
            if not all(isinstance(key, str) for key in keys) or len({*keys}) < len(keys):
                raise ValueError("has a key twice, or one that is no text; write each once")
            return dict(zip(keys, (_value(value) for _, value in node.value), strict=True))
        case _:
            return node.value


def _metadata_problems(path: PurePosixPath, metadata: Any) -> Iterator[str]:
    yield from metadata_problems(metadata)
    if not isinstance(metadata, dict):
        return
    yield from (
        f"metadata.{key}: is no part of a sealed Secret; remove it" for key in sorted(metadata.keys() - _METADATA)
    )
    for key in ("labels", "annotations"):
        if not _is_flat(metadata.get(key, {})):
            yield f"metadata.{key}: must hold texts"
    if metadata.get("name") != sealed_name(path):
        yield f"metadata.name: must be '{sealed_name(path)}' like the file"


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _value_problems(item: Mapping[str, Any]) -> Iterator[str]:
    for field in FIELDS:
        values = item.get(field, {})
        if not isinstance(values, dict):
            yield f"{field}: must hold keys and values"
            continue
        for key, value in values.items():
            if value != "" and not (isinstance(value, str) and _VALUE.fullmatch(value)):
                yield f"{field}.{key}: is not encrypted; seal it again, and take the value for known"


def _sops_problems(sops: Any, recipients: frozenset[str]) -> Iterator[str]:
    if not isinstance(sops, dict):
        yield "is not encrypted; seal it, and take its values for known"
        return
    for key, pattern in _OF_SOPS.items():
        value = sops.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield f"sops.{key}: is not what SOPS writes here; seal it again"
    others = sops.keys() - _OF_SOPS.keys() - {"age"}
    yield from (f"sops.{key}: has to be empty; seal it again" for key in sorted(others) if sops[key] not in _EMPTY)
    age = sops.get("age")
    if not isinstance(age, list) or not all(map(_is_recipient, age)):
        yield "sops.age: is no list of recipients with their keys; seal it again"
    elif sorted(key["recipient"] for key in age) != sorted(recipients):
        yield "sops.age: has other recipients than the environment; seal it again"


def _is_recipient(key: Any) -> bool:
    return _is_flat(key) and key.keys() == {"recipient", "enc"} and _ARMOUR.fullmatch(key["enc"]) is not None

"""YAML that every reader takes for the same objects."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import yaml

from constructs_lib.kit import Manifest

# Plain text that YAML 1.1 or 1.2, or Go's mixture of both, reads as a number, a boolean, null or a date.
_AMBIGUOUS = re.compile(r"[-+.\d].*|y|n|yes|no|on|off|true|false|null|~|", re.IGNORECASE | re.DOTALL)
_FIRST_KEYS = ("apiVersion", "kind", "metadata")


class _Dumper(yaml.CSafeDumper):
    """PyYAML's safe dumper without aliases, which quotes ambiguous text and writes long text as a block."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else '"' if _AMBIGUOUS.fullmatch(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def to_yaml(manifest: Manifest) -> bytes:
    """Return `manifest` as YAML: `apiVersion`, `kind` and `metadata` first, all else in alphabetical order."""
    return _dumped(json.dumps(manifest, sort_keys=True))


@lru_cache(maxsize=4096)
def _dumped(text: str) -> bytes:
    """Dump what `text` holds as JSON. Most objects are the same in every environment, and JSON is quick to compare."""
    ordered = json.loads(text)
    first = {key: ordered.pop(key) for key in _FIRST_KEYS if key in ordered}
    return yaml.dump(first | ordered, Dumper=_Dumper, encoding="utf-8", allow_unicode=True, sort_keys=False, width=120)

"""YAML that every reader takes for the same objects."""

from __future__ import annotations

import re
from typing import Any

import yaml

from constructs_lib.component import Manifest

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
    ordered = {key: _sorted(manifest[key]) for key in _FIRST_KEYS if key in manifest}
    ordered |= {key: _sorted(manifest[key]) for key in sorted(manifest.keys() - ordered.keys())}
    return yaml.dump(ordered, Dumper=_Dumper, encoding="utf-8", allow_unicode=True, sort_keys=False, width=120)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value

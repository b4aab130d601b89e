"""What is sealed for other keys than an environment has: its cluster could not read it, or somebody else could."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.base.errors import ConfigError
from gitops_render.check.model import Finding
from gitops_render.paths import SOPS_FILE, sealed_file, sealed_folder
from gitops_render.sops_config import read_recipients, readers

FIX = "seal it again, as docs/how-to/seal-a-secret.md says"


def sealed_findings(root: Path) -> Iterator[Finding]:
    """Yield a finding for each sealed Secret in a repository whose recipients are not those of its environment."""
    for folder in sorted(root.glob(str(sealed_folder("*")))):
        environment = folder.relative_to(root).parts[2]
        wanted = _recipients(root, environment)
        for path in sorted(folder.glob(sealed_file(environment, "*").name)):
            sealed = _read(path)
            found = readers(sealed)
            if found != wanted:
                says = f"is sealed for {_keys(found)}, and {SOPS_FILE} names {_keys(wanted)}"
                yield Finding("SEAL001", str(path.relative_to(root)), _named(sealed), says, FIX)


def _recipients(root: Path, environment: str) -> frozenset[str]:
    try:
        return read_recipients(root, environment)
    except ConfigError:
        return frozenset()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.load(path.read_bytes(), yaml.CSafeLoader)
    except (OSError, yaml.YAMLError, ValueError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
        raise ConfigError(f"{path}: cannot be read as a sealed Secret; restore it from Git, or seal it again")
    return found


def _named(sealed: dict[str, Any]) -> str:
    metadata = sealed["metadata"]
    return f"Secret {metadata.get('namespace')} {metadata.get('name')}"


def _keys(recipients: frozenset[str]) -> str:
    return ", ".join(f"{key[:12]}…" for key in sorted(recipients)) or "nobody"

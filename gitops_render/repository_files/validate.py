"""Checks of the GitOps repository, with nothing but Python: run `python3 .github/validate.py` at its top.

Rendered files are as rendering wrote them, none is missing or added, and what is sealed is encrypted.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

RENDERED = ("clusters", "platform")


def problems(root: Path) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong."""
    owned = {
        name: digest for index in root.glob(".render/*.json") for name, digest in json.loads(index.read_text()).items()
    }
    if not owned:
        yield ".render: holds no index; render again"
    for name, digest in sorted(owned.items()):
        file = root / name
        if not file.is_file():
            yield f"{name}: is missing; render again"
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            yield f"{name}: was edited by hand; change the environment file and render again"
    files = (file for folder in RENDERED for file in (root / folder).rglob("*") if file.is_file())
    for name in sorted(str(file.relative_to(root)) for file in files):
        if is_sealed(name):
            yield from sealed_problems(root, name)
        elif name not in owned and not is_source(name):
            yield f"{name}: was not rendered; remove it, or put it under apps/"


def is_source(name: str) -> bool:
    """Say whether a file is the ref that promotion changes."""
    parts = name.split("/")
    return parts[0] == "clusters" and parts[2:] == ["source.yaml"]


def is_sealed(name: str) -> bool:
    """Say whether a file is in a folder of sealed secrets."""
    parts = name.split("/")
    return parts[:2] == ["platform", "secrets"] and parts[3:4] == ["sealed"]


def sealed_problems(root: Path, name: str) -> Iterator[str]:
    """Yield what is wrong with a sealed secret: SOPS writes ENC[...] for every value below data and stringData."""
    if name.endswith("/kustomization.yaml"):
        return
    lines = (root / name).read_text().splitlines()
    if "sops:" not in lines:
        yield f"{name}: is not encrypted; seal it, and take its values for known"
        return
    inside = False
    for line in lines:
        if line and not line[0].isspace():
            inside = line.rstrip() in {"data:", "stringData:"}
        elif inside and line.strip() and "ENC[AES256_GCM," not in line:
            yield f"{name}: holds a value that is not encrypted; seal it again, and take the value for known"
            return


def main() -> None:
    """Print what is wrong, and exit 1 if anything is."""
    found = list(problems(Path()))
    print("\n".join(found) or "everything is as it was rendered")  # noqa: T201
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

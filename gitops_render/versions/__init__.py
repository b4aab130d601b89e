"""Every pinned thing of the project, and where: what an update changes, and what a bill of materials lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from constructs_lib.base.errors import ConfigError
from gitops_render.versions import files
from gitops_render.versions.constructs import constructs
from gitops_render.versions.pinned import Pinned, Source

ROOMS = ("constructs_lib", "gitops_render", "operations")
"""Where code names what runs in a cluster."""
PIPENV = ".github/requirements-pipenv.txt"


def versions(root: Path) -> list[Pinned]:
    """Return what the project in `root` pins, by kind and name.

    Raises `ConfigError` if `root` is not the project, or if a package that says more is not installed.
    """
    if not (root / "Pipfile").is_file():
        raise ConfigError(f"{root.resolve()}: holds no Pipfile; run this in the project's folder")
    order = ("chart", "image", "source", "provider", "action", "package", "tool")
    return sorted({*_read(root)}, key=lambda pin: (order.index(pin.kind), pin.name, pin.file, pin.line))


def locked(root: Path) -> dict[str, Any]:
    """Return the Pipfile.lock of the project in `root`: packages that are pinned because others need them."""
    return json.loads((root / "Pipfile.lock").read_bytes())


def _read(root: Path) -> Iterator[Pinned]:
    def below(pattern: str) -> Iterator[Source]:
        return (Source.read(root, path) for path in sorted(root.glob(pattern)))

    for room in ROOMS:
        for source in below(f"{room}/**/*.py"):
            yield from constructs(source)
            yield from files.marked(source)
    for pattern in (".github/**/*.yml", "gitops_render/repository_files/*.yml"):
        for source in below(pattern):
            yield from files.actions(source)
            yield from files.set_up(source)
    yield from files.packages(Source.read(root, root / "Pipfile"))
    yield from files.requirements(Source.read(root, root / PIPENV))
    yield from files.npm_packages(Source.read(root, root / "package.json"))
    built = (root / "tools/Makefile").read_text(encoding="utf-8")
    for source in below("tools/**/go.mod"):
        yield from files.modules(source, built)

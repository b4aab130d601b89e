"""What the components pin: charts, images, and Git repositories that Flux applies.

It is read from their code, so that each has its line, and `constructs_lib.cloud` is read without its packages.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gitops_render.versions.pinned import Pinned, Source

IMAGE = re.compile(
    r"(?P<name>[a-z0-9.-]+\.[a-z]+(/[a-z0-9._-]+)+):(?P<tag>\w[\w.-]*)(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
"""An image with its registry, as the components write it: `registry/name:tag`, or `registry/name:tag@sha256:…`."""


def constructs(source: Source) -> Iterator[Pinned]:
    """Yield what a file of Python pins."""
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            words = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
            yield from _called(node.func.id, words, source.path, node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            image = IMAGE.fullmatch(node.value)
            if image:
                yield Pinned("image", image["name"], image["tag"], source.path, node.lineno, image["digest"])


def _called(function: str, words: list[str], path: str, node: ast.Call) -> Iterator[Pinned]:
    match function, words:
        case "Chart", [repository, name, version, *_]:
            yield Pinned("chart", f"{repository.rstrip('/')}/{name}", version, path, node.args[2].lineno)
        case "Installed", [_, repository, version, commit, image]:
            line = node.args[2].lineno
            yield Pinned("source", repository, f"v{version}", path, line, commit)
            yield Pinned("image", image, version, path, line)
        case _:
            return

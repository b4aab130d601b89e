"""A component is told of its environment in types alone: what import-linter cannot say while it lets the import be."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support import ROOT

WHOLE = "constructs_lib.environment"


def imported(code: ast.AST) -> Iterator[str]:
    """Yield every module that `code` imports when it runs."""
    for node in ast.iter_child_nodes(code):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (name for other in node.orelse for name in imported(other))
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield from imported(node)


def of_the_whole(code: str) -> list[str]:
    """Return what `code` imports of the environment when it runs."""
    return [name for name in imported(ast.parse(code)) if name == WHOLE or name.startswith(f"{WHOLE}.")]


def test_no_component_imports_its_environment_when_it_runs() -> None:
    files = sorted((ROOT / "constructs_lib/platform").rglob("*.py"))
    assert len(files) > 30
    assert {str(file): found for file in files if (found := of_the_whole(file.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (f"from {WHOLE} import Environment", [WHOLE]),
        (f"def links():\n    from {WHOLE}.model import Environment", [f"{WHOLE}.model"]),
        (f"import {WHOLE}", [WHOLE]),
        (f"if TYPE_CHECKING:\n    from {WHOLE} import Environment", []),
        ("from constructs_lib.environments import x", []),
    ],
)
def test_such_an_import_would_be_found(code: str, found: list[str]) -> None:
    assert of_the_whole(code) == found

"""No command of a page is left out in silence, and what a page shows of an environment's file is one."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from constructs_lib.environment import Environment
from gitops_render.site.examples import in_page
from tests.console import ELSEWHERE, PAGES, Step, blocks, offline
from tests.support import ROOT, environment_data

HOW_TO = ROOT / "docs/how-to"


def test_each_block_is_run_or_begins_with_what_needs_more_than_this_machine() -> None:
    found = {str(page.relative_to(ROOT)): list(blocks(page)) for page in PAGES}
    left_out = {name: block[0].command for name, page in found.items() for block in page if block[0].is_elsewhere}
    run = {name for name in found if offline(ROOT / name)}
    assert {"README.md", "docs/tutorial.md", "docs/how-to/add-an-environment.md", "docs/how-to/promote.md"} <= run
    assert not {"docs/tutorial.md", "docs/how-to/add-an-environment.md"} & left_out.keys()
    steps = [step for page in found.values() for block in page for step in block]
    assert len(steps) > 50
    assert all(any(Step(step.command, ()).is_elsewhere for step in steps) for _ in ELSEWHERE)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("one\ntwo 3 four\n", True), ("one\nx\ny\ntwo 3 four\n", True), ("two 3 four\n", False), ("one\ntwo\n", False)],
)
def test_what_is_printed_is_compared(text: str, fits: bool) -> None:
    assert Step("x", ("one", "…", "two … four")).matches(text) is fits


def merged(data: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return `data` with what `part` says, map by map."""
    return {**data, **{key: _either(data.get(key), value) for key, value in part.items()}}


def _either(old: Any, new: Any) -> Any:
    both = isinstance(old, dict) and isinstance(new, dict)
    same_kind = both and new.get("provider") in {None, old.get("provider")}
    return merged(old, new) if same_kind else new


@pytest.mark.parametrize("page", sorted(HOW_TO.glob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_shows_of_a_file_can_stand_in_one(page: Path) -> None:
    """Alone, or after the part before it."""
    before: dict[str, Any] = {}
    for part in in_page(page.read_text("utf-8")):
        files = [merged(environment_data(), shown) for shown in (part, merged(before, part))]
        assert any(is_fine(file) for file in files) or Environment.model_validate_json(json.dumps(files[0]))
        before = part


def is_fine(file: dict[str, Any]) -> bool:
    with suppress(ValidationError):
        Environment.model_validate_json(json.dumps(file))
        return True
    return False


def test_the_pages_show_parts_of_files() -> None:
    assert len([part for page in HOW_TO.glob("*.md") for part in in_page(page.read_text("utf-8"))]) > 5

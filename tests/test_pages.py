"""Every command that a page prints is one that there is, with its options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from gitops_render.commands import app as gitops_render
from operations.commands import app as operations
from tests.support import ROOT

PROGRAMS = {"gitops_render": get_command(gitops_render), "operations": get_command(operations)}
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


def printed() -> Iterator[tuple[str, str]]:
    """Yield the program and the words of each command in the pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        yield from re.findall(r"bin/(gitops_render|operations) ([a-z][^`|\n#]*)", text)


def problem(program: str, words: str) -> str | None:
    """Return what of a command there is not."""
    command: Any = PROGRAMS[program]
    for word in words.split():
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        below = getattr(command, "commands", {})
        if below and not word.startswith("-"):
            if word not in below:
                return word
            command = below[word]
        elif word.startswith("--") and word not in {*known, "--help"}:
            return word
    return None


def test_the_pages_print_commands_that_there_are() -> None:
    found = set(printed())
    assert len(found) > 10
    assert {words: word for program, words in found if (word := problem(program, words))} == {}


@pytest.mark.parametrize(
    ("words", "wrong"),
    [("provision plan sandbox --stage services", None), ("bootstrap seed", "seed"), ("sweep --dry", "--dry")],
)
def test_a_command_that_there_is_not_would_be_found(words: str, wrong: str | None) -> None:
    assert problem("operations", words) == wrong


def test_every_relative_link_of_a_page_leads_somewhere() -> None:
    links = [
        (page, link) for page in PAGES for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    ]
    assert len(links) > 50
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []

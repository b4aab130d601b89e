"""The commands in the pages: which there are, what they print, and which need no more than this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from tests.support import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
ANYTHING = "…"

ELSEWHERE = {
    r"(tofu|vault|kubectl|npm|node_modules)\b": "needs a program, an account or a cluster",
    r"bin/operations (bootstrap|provision|rotate|vault|wait-ready|rebuild)\b": "needs an account",
    r"bin/operations try(?! --help)": "needs a cluster: tests/e2e/node/test_try.py has one",
    r"bin/operations rehearse\b|make (tools|test)\b": "takes long: other tests do it",
    r".*bin/gitops_render (un)?seal\b": "needs SOPS: other tests do it",
    rf"(export|cd) .*[{ANYTHING}<]|cd cdktf.out": "needs what only its reader has",
    r"echo ": "goes with what needs an account",
}
"""The commands that are not run, by how they begin, each with the reason."""


class Step(NamedTuple):
    """A command as a page prints it, and the lines that it is shown to print."""

    command: str
    printed: tuple[str, ...]

    @property
    def is_elsewhere(self) -> bool:
        """Whether it needs more than this machine."""
        return any(re.match(start, self.command) for start in ELSEWHERE)

    def matches(self, text: str) -> bool:
        """Return whether `text` is what it is shown to print; a line of dots is any number of lines."""
        lines = [re.escape(line).replace(ANYTHING, ".*") + r"\n" for line in self.printed]
        expected = "".join(r"(?:.*\n)*" if line == rf"{'.*'}\n" else line for line in lines)
        return re.fullmatch(expected, text) is not None


def blocks(page: Path) -> Iterator[list[Step]]:
    """Yield the commands of each block of a page."""
    for block in re.findall(r"^ *```console\n(.*?)^ *```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        first, *commands = re.split(r"^\$ ", dedent(block), flags=re.MULTILINE)
        assert not first, f"{page.name}: a block of console begins with a command"
        yield [Step(lines[0], tuple(lines[1:])) for lines in (command.splitlines() for command in commands)]


def offline(page: Path) -> list[Step]:
    """Return the commands of a page that are run: of each block those before the first that is elsewhere."""
    return [step for block in blocks(page) for step in takewhile(lambda step: not step.is_elsewhere, block)]

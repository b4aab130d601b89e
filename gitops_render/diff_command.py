"""The command that compares two rendered trees."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from gitops_render.app import DIFFERENT, app
from gitops_render.diff import diff as compare
from gitops_render.diff_output import to_json, to_markdown, to_text


class Format(StrEnum):
    """How a difference is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


PRINTERS = {Format.TEXT: to_text, Format.MARKDOWN: to_markdown, Format.JSON: to_json}


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="A", help="A rendered tree.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="The tree to compare with it.")],
    format_: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show the objects that differ between two rendered trees, and exit 1 if there are any."""
    with exit_on_bad_input():
        differences = compare(old, new)
    typer.echo(PRINTERS[Format.JSON if as_json else format_](differences).rstrip("\n"))
    if differences:
        raise typer.Exit(DIFFERENT)

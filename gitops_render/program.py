"""What the programs `gitops_render` and `operations` have in common: how they ask, how they fail and how they end."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import typer

from constructs_lib.base.console import timed
from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.base.version import VERSION
from gitops_render.markdown import first_paragraph
from gitops_render.reference import reference

EXIT_CODES = (
    "Exit codes: 0 done, 1 a difference or a finding, 2 something has to be fixed (one sentence each on stderr, and "
    "nothing written)."
)
VERSION_OPTION = "--version"
REFERENCE_OPTION = "--reference"
OPTIONS = f"{VERSION_OPTION} prints the version, {REFERENCE_OPTION} all commands as Markdown."


def program(text: str, **options: Any) -> typer.Typer:
    """Return a command line that says `text` about itself, or a group of commands below one."""
    settings = {"max_content_width": 120}
    return typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings=settings,
        help=text,
        **options,
    )


def run(app: typer.Typer, name: str) -> None:
    """Run a program as its user called it, or print its version or all its commands as Markdown.

    Every command's help says what exit codes mean.
    """
    if sys.argv[1:] == [VERSION_OPTION]:
        typer.echo(f"{name} {VERSION}")
        return
    if sys.argv[1:] == [REFERENCE_OPTION]:
        typer.echo(reference(app, name, EXIT_CODES))
        return
    _say_exit_codes(app)
    with exit_on_bad_input(), timed(name):
        app(prog_name=name)


def _say_exit_codes(app: typer.Typer) -> None:
    for command in app.registered_commands:
        command.epilog = EXIT_CODES
        # Whole sentences in the list of commands, which are wrapped, where Typer would cut them.
        command.short_help = first_paragraph(inspect.getdoc(command.callback) or "")
    for group in app.registered_groups:
        if group.typer_instance is not None:
            group.short_help = group.typer_instance.info.help
            _say_exit_codes(group.typer_instance)

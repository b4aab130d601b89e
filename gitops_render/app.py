"""The command line that the command modules add to."""

from __future__ import annotations

import typer

DIFFERENT = 1
"""The exit code of a command that found a difference or broke a rule."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Render the GitOps repository.")


@app.callback()
def commands() -> None:
    """Exit codes: 0 done, 1 a difference or a finding, 2 bad input (one sentence each on stderr, nothing written)."""

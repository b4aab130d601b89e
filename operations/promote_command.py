"""The command that proposes a promotion."""

from __future__ import annotations

from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import chosen, load_all
from operations.app import app
from operations.clients.github import gitops_client
from operations.console import summarise
from operations.review.promotion import propose_promotion


@app.command()
def promote(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The environment whose commit is taken.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The environment that is to run it.")],
    commit: Annotated[str, typer.Option(help="A commit that FROM runs or has run, instead of its own.")] = "",
) -> None:
    """Open the pull request that lets TO run what FROM runs, with what it changes."""
    with exit_on_bad_input():
        environments = load_all()
        (before,), (after,) = chosen(environments, [source]), chosen(environments, [target])
        github = gitops_client(before.gitops)
        repository = github.repository(before.gitops.full_name)
        summarise(propose_promotion(github, repository, before, after, commit or None))

"""The command that looks for drift and keeps an issue about it."""

from __future__ import annotations

from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import chosen, load_all
from operations.app import DIFFERENT, app
from operations.clients.github import gitops_client, own_client
from operations.console import say, summarise
from operations.review.drift import find_drift, marker


@app.command()
def drift(
    environment: Annotated[str, typer.Argument(help="The environment.")],
    report: Annotated[str, typer.Option(help="The repository (owner/name) whose issue tells of drift.")] = "",
) -> None:
    """Plan an environment read-only, compare the GitOps repository, and exit 1 if anything differs.

    With --report, an issue is opened, updated or closed with the token in GITHUB_TOKEN, and the exit code is 0.
    """
    with exit_on_bad_input():
        environments = load_all()
        (env,) = chosen(environments, [environment])
        found = find_drift(env, environments, gitops_client(env.gitops))
        say(f"{env.name}: {'differs' if found else 'is as it should be'}")
        summarise(found or f"**{env.name}** is as it should be.")
        if report:
            github = own_client()
            issue = github.report(github.repository(report), marker(env), f"Drift in {env.name}", found)
            if issue is not None:
                say(f"{env.name}: issue {issue.number}")
        elif found:
            raise typer.Exit(DIFFERENT)

"""The commands that bring up the GitOps repository, in the order in which the workflow calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import chosen, load_all
from operations.app import app
from operations.bootstrap.bootstrap import Bootstrap
from operations.console import say
from operations.secrets.entries import ensure_entries, public_deploy_key

bootstrap = typer.Typer(no_args_is_help=True, help="Bring up the GitOps repository; safe to run again at any point.")
app.add_typer(bootstrap, name="bootstrap")

DryRun = Annotated[bool, typer.Option("--dry-run", envvar="DRY_RUN", help="Change nothing; say what would be done.")]
Named = Annotated[
    list[str] | None,
    typer.Option("--environment", envvar="ENVIRONMENTS", help="Only this environment; may be repeated."),
]


@bootstrap.command()
def check(
    organisation: Annotated[str, typer.Option(help="Refuse to go on unless the files name this organisation.")] = "",
    repository: Annotated[str, typer.Option(help="Refuse to go on unless the files name this repository.")] = "",
) -> None:
    """Check the inputs, the credentials in Vault and the GitHub token before anything is changed."""
    with exit_on_bad_input():
        Bootstrap(load_all()).check(organisation, repository)


@bootstrap.command()
def secrets(dry_run: DryRun = False) -> None:
    """Make what Vault has not got: deploy keys, age keys, passwords, state passphrases."""
    with exit_on_bad_input():
        Bootstrap(load_all()).secrets(dry_run=dry_run)


@bootstrap.command()
def layout(environment: Named = None, dry_run: DryRun = False) -> None:
    """Make the repository and seed it, or propose what its layout lacks."""
    with exit_on_bad_input():
        environments = load_all()
        Bootstrap(environments).layout(chosen(environments, environment or []), dry_run=dry_run)


@bootstrap.command()
def settings(
    plans: Annotated[Path, typer.Option(help="Where the plan is written.")] = Path("plans.out/gitops-repository"),
    dry_run: DryRun = False,
) -> None:
    """Plan and apply the repository's settings: rulesets, deploy keys, environments with reviewers, variables."""
    with exit_on_bad_input():
        Bootstrap(load_all()).settings(plans, dry_run=dry_run)


@app.command()
def deploy_key(environment: Annotated[str, typer.Argument(help="The environment.")]) -> None:
    """Print the public half of an environment's deploy key; make the key, and what else Vault lacks, if need be."""
    with exit_on_bad_input():
        (env,) = chosen(load_all(), [environment])
        ensure_entries(env)
        say(public_deploy_key(env))

"""`bootstrap`: the GitOps repository, and what Vault and GitHub need before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.console import done, step
from constructs_lib.base.stacks import GITOPS_REPOSITORY
from gitops_render.program import program
from operations.commands.options import PLANS, DryRun, EnvironmentNames

app = program("Bring up the GitOps repository; safe to run again at any point.")


CHANGED_NOTHING = "nothing was changed: a dry run"


@app.command()
def check(
    organisation: Annotated[str, typer.Option(help="Refuse to go on unless the files name this organisation.")] = "",
    repository: Annotated[str, typer.Option(help="Refuse to go on unless the files name this repository.")] = "",
    enforced: Annotated[
        bool, typer.Option("--enforced", help="After `settings`: refuse what guards the repositories, but not visibly.")
    ] = False,
) -> None:
    """Check the inputs, the credentials in Vault and the GitHub token before anything is changed."""
    from constructs_lib.environment import load_all
    from operations.bootstrap.bootstrap import Bootstrap

    environments = load_all()
    with step("look for what only you can bring"):
        Bootstrap(environments).check(organisation, repository, enforced=enforced)
    done(f"{len(environments)} environments checked, nothing changed")


@app.command()
def secrets(dry_run: DryRun = False) -> None:
    """Make what Vault has not got: deploy keys, age keys, passwords, state passphrases."""
    from constructs_lib.environment import load_all
    from operations.bootstrap.bootstrap import Bootstrap

    environments = load_all()
    with step("look for what Vault lacks"):
        Bootstrap(environments).secrets(dry_run=dry_run)
    done(CHANGED_NOTHING if dry_run else f"{len(environments)} environments have their secrets")


@app.command()
def layout(environment: EnvironmentNames = None, dry_run: DryRun = False) -> None:
    """Make the repository and seed it, or propose what its layout lacks."""
    from constructs_lib.environment import chosen, load_all
    from operations.bootstrap.bootstrap import Bootstrap

    environments = load_all()
    selected = chosen(environments, environment or [])
    Bootstrap(environments).layout(selected, dry_run=dry_run)
    done(
        f"{environments[0].gitops.full_name}: looked at {len(selected)} environments"
        if not dry_run
        else CHANGED_NOTHING
    )


@app.command()
def settings(
    plans: Annotated[Path, typer.Option(help="Where the plan is written.")] = PLANS / GITOPS_REPOSITORY,
    dry_run: DryRun = False,
) -> None:
    """Plan and apply the repository's settings: rulesets, deploy keys, environments with reviewers, variables."""
    from constructs_lib.environment import load_all
    from operations.bootstrap.bootstrap import Bootstrap

    environments = load_all()
    Bootstrap(environments).settings(plans, dry_run=dry_run)
    done(CHANGED_NOTHING if dry_run else f"{environments[0].gitops.full_name}: its settings are as planned")

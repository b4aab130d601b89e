"""`rotate`: a new secret for an old one."""

from __future__ import annotations

from typing import Annotated

import typer

from constructs_lib.base.stacks import GITOPS_REPOSITORY
from gitops_render.arguments import EnvironmentName, environment_names
from gitops_render.program import program
from operations.commands.options import named

app = program("A new secret for an old one; each run does the next step, and none cuts anybody off.")


@app.command()
def spaces_key(
    environment: EnvironmentName,
    which: Annotated[str, typer.Argument(metavar="KEY", help="state, plan, backups, traces or APPLICATION-BUCKET.")],
) -> None:
    """Make a new Spaces key; run again later, end the one before it."""
    from operations.rotation.spaces_key import rotate_spaces_key

    rotate_spaces_key(named(environment), which)


@app.command()
def state_passphrase(
    environment: Annotated[
        str,
        typer.Argument(
            metavar="ENVIRONMENT", autocompletion=environment_names, help=f"{GITOPS_REPOSITORY}, or the environment."
        ),
    ],
) -> None:
    """Encrypt every state with a new passphrase; no other run may change them meanwhile."""
    from constructs_lib.environment import load_all
    from operations.rotation.passphrase import gitops_place, place_of, rotate_passphrase

    own = environment == GITOPS_REPOSITORY
    rotate_passphrase(gitops_place(load_all()[0]) if own else place_of(named(environment)))


@app.command(name="deploy-key")
def rotate_key(environment: EnvironmentName) -> None:
    """Make a new deploy key beside the old one; run again once it is provisioned, end the old one."""
    from operations.rotation.deploy_key import rotate_deploy_key

    rotate_deploy_key(named(environment))


@app.command()
def age_key(environment: EnvironmentName) -> None:
    """Make a second age key, seal for it, and end the first; run again after each step that it names."""
    from constructs_lib.environment import chosen, load_all
    from operations.rotation.age_key import rotate_age_key

    environments = load_all()
    (env,) = chosen(environments, [environment])
    rotate_age_key(env, environments)


@app.command()
def approle(environment: EnvironmentName) -> None:
    """Make a second secret ID; run again once it is provisioned, destroy the first."""
    from operations.rotation.approle import rotate_approle

    rotate_approle(named(environment))


@app.command()
def password(
    environment: EnvironmentName,
    whose: Annotated[str, typer.Argument(metavar="WHOSE", help="As in Vault, such as postgres/main/episodic.")],
) -> None:
    """Give Postgres' role, RabbitMQ's user, a Valkey cluster or Grafana a new password; run again, see it taken."""
    from operations.rotation.password import rotate_password

    rotate_password(named(environment), whose)

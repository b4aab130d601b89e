"""The commands that plan, apply and watch an environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import Environment, chosen, load_all
from operations.app import app
from operations.console import say, summarise
from operations.provisioning.plan_report import plans_markdown
from operations.provisioning.provision import Provisioner, Stage, read_plans, refuse_destruction

provision = typer.Typer(no_args_is_help=True, help="Plan an environment's stacks, and apply exactly that plan.")
app.add_typer(provision, name="provision")

Name = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment.")]
Folder = Annotated[Path, typer.Option(help="Where the encrypted plan files are.")]
Confirmed = Annotated[
    str | None, typer.Option("--confirm", envvar="CONFIRM", help="The environment's name, typed by who destroys it.")
]
PLANS = Path("plans.out")


@provision.command()
def plan(
    environment: Name,
    stage: Annotated[Stage, typer.Option(help="What to plan: services need the cluster.")],
    plans: Folder = PLANS,
    prepare: Annotated[
        bool, typer.Option("--prepare", envvar="PREPARE", help="Make the bucket for the state if it is missing.")
    ] = False,
    destroy: Annotated[
        bool, typer.Option("--destroy", envvar="DESTROY", help="Plan the end of the stage's stacks.")
    ] = False,
    confirm: Confirmed = None,
) -> None:
    """Write encrypted plan files, and a summary for people."""
    with exit_on_bad_input():
        env = _named(environment)
        if destroy:
            refuse_destruction(env, confirm)
        made, readings = Provisioner(env).plan(stage, plans, destroy=destroy, prepare=prepare)
        summarise(plans_markdown(made, readings))
        for planned in made.stacks:
            say(f"{planned.stack}: {planned.changes} resources to change")
        for name in made.waiting:
            say(f"{name}: is planned once the cluster is there")
        _output(changes=made.changes)


@provision.command()
def apply(environment: Name, plans: Folder = PLANS, confirm: Confirmed = None) -> None:
    """Apply the plans in a folder, exactly as they are."""
    with exit_on_bad_input():
        env = _named(environment)
        read = read_plans(plans, env)
        if read.destroy:
            refuse_destruction(env, confirm)
        Provisioner(env).apply(read, plans)
        say(f"{env.name}: {read.stage} is as planned")


@app.command()
def state_migrate(stack: Annotated[str, typer.Argument(help="The stack, such as sandbox-state.")]) -> None:
    """Move the state that a run on this machine left in a stack's folder into its bucket."""
    with exit_on_bad_input():
        env = _named(stack.rpartition("-")[0])
        Provisioner(env).migrate(stack)
        say(f"{stack}: state is in bucket {env.state.bucket}")


@app.command()
def wait_ready(
    environment: Name,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 1800,
    poll: Annotated[float, typer.Option(help="Seconds between two looks.")] = 10,
) -> None:
    """Wait until Flux has brought an environment up, and say what is not Ready."""
    from operations.provisioning.ready import wait_ready as wait

    with exit_on_bad_input():
        wait(_named(environment), timeout_seconds=timeout, poll_seconds=poll)


def _named(name: str) -> Environment:
    (env,) = chosen(load_all(), [name])
    return env


def _output(**values: object) -> None:
    """Give values to later steps of a job of GitHub Actions."""
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())

"""`provision`: what is planned for an environment, and exactly that plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.console import done
from constructs_lib.base.purpose import Purpose
from gitops_render.arguments import EnvironmentName
from gitops_render.program import program
from operations.commands.options import PLANS, named, output
from operations.provisioning.stage import Stage

app = program("Plan an environment's stacks, and apply exactly that plan.")

Folder = Annotated[Path, typer.Option(help="Where the encrypted plan files are.")]
Confirmed = Annotated[
    str | None, typer.Option("--confirm", envvar="CONFIRM", help="The environment's name, typed by who destroys it.")
]


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - options of a command line
    environment: EnvironmentName,
    stage: Annotated[Stage, typer.Option(help="What to plan: services need the cluster, dns the balancer.")],
    plans: Folder = PLANS,
    prepare: Annotated[
        bool, typer.Option("--prepare", envvar="PREPARE", help="Plan what is to be applied, not only looked at.")
    ] = False,
    destroy: Annotated[
        bool, typer.Option("--destroy", envvar="DESTROY", help="Plan the end of the stage's stacks.")
    ] = False,
    confirm: Confirmed = None,
    wait: Annotated[
        float, typer.Option("--wait", envvar="WAIT", help="Seconds that what the stage needs may take to come.")
    ] = 0,
) -> None:
    """Write encrypted plan files, and a summary for people."""
    from operations.provisioning.plan_report import tell
    from operations.provisioning.provision import Provisioner
    from operations.provisioning.refusals import refuse_destruction

    env = named(environment)
    if destroy:
        refuse_destruction(env, confirm)
    planner = Provisioner(env, Purpose.PLAN)
    written, readings = planner.plan(stage, plans, destroy=destroy, prepare=prepare, wait_seconds=wait)
    tell(written, readings)
    output(changes=written.changes)
    done(f"{env.name}: {written.changes} resources to change in {stage}; the plans are in {plans}")


@app.command()
def apply(environment: EnvironmentName, plans: Folder = PLANS, confirm: Confirmed = None) -> None:
    """Apply the plans in a folder, exactly as they are."""
    from operations.provisioning.plans import read_plans
    from operations.provisioning.provision import Provisioner
    from operations.provisioning.refusals import refuse_destruction

    env = named(environment)
    written = read_plans(plans, env)
    if written.destroy:
        refuse_destruction(env, confirm)
    Provisioner(env, Purpose.APPLY).apply(written, plans)
    done(f"{env.name}: {written.stage} is as planned")

"""`recover`: what was lost comes back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from constructs_lib.base.console import done, say
from constructs_lib.base.purpose import Purpose
from gitops_render.arguments import EnvironmentName
from gitops_render.program import program
from operations.commands.options import PLANS, named

if TYPE_CHECKING:
    from operations.recovery.recover import Step

flat = typer.Typer()
app = program("What was lost comes back; each run looks how far it is, and does the next step or says what it is.")

Repository = Annotated[
    str,
    typer.Option(help="Open a pull request there (owner/name, by GITHUB_TOKEN) instead of changing the file here."),
]
Finish = Annotated[bool, typer.Option("--finish", help="The data were looked at and are right.")]


@app.command()
def beside(  # noqa: PLR0913, PLR0917 - one for each option
    environment: EnvironmentName,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="postgres, rabbitmq or valkey.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The cluster of that kind.")],
    new: Annotated[str, typer.Option("--as", help="What the recovered one is called.")] = "restored",
    until: Annotated[str, typer.Option(help="The last time at which all was right: 2026-01-31T04:00:00Z.")] = "",
    repository: Repository = "",
    finish: Finish = False,
) -> None:
    """Recover a cluster to a time, or to its newest backup, beside the old one, which goes on."""
    from operations.recovery import recover
    from operations.recovery.kinds import kind_of
    from operations.rotation.in_cluster import in_cluster
    from operations.secrets.credentials import secrets_of

    env, which = named(environment), kind_of(kind)
    there = in_cluster(env, secrets_of(env, Purpose.PLAN))
    wanted = recover.Wanted(which, name, new, until or None)
    step = recover.beside(env, wanted, there, finish=finish)
    _take(environment, step, repository)
    done(f"{environment}: {_how_far(step)}")


@app.command()
def lost(environment: EnvironmentName, repository: Repository = "", finish: Finish = False) -> None:
    """Recover all data of an environment whose Kubernetes cluster is lost with its volumes."""
    from operations.recovery import recover
    from operations.recovery.rebuild import bucket_holds
    from operations.rotation.in_cluster import in_cluster
    from operations.secrets.credentials import secrets_of

    env = named(environment)
    there = in_cluster(env, secrets_of(env, Purpose.PLAN))
    step = recover.lost(env, there, bucket_holds(env), finish=finish)
    _take(environment, step, repository)
    done(f"{environment}: {_how_far(step)}")


@flat.command()
def rebuild(  # noqa: PLR0913, PLR0917 - one for each option
    environment: EnvironmentName,
    repository: Repository = "",
    plans: Annotated[Path, typer.Option(help="Where the encrypted plan files are.")] = PLANS,
    balancer: Annotated[float, typer.Option(help="Seconds that the load balancer may take to come.")] = 1200,
    timeout: Annotated[float, typer.Option(help="Seconds that Flux may take.")] = 3600,
    finish: Finish = False,
) -> None:
    """Make an environment anew from its Git repository, Vault and buckets, with its data; each run does what it can.

    It goes on until a person is needed: to merge, to read a plan and apply it, to look at the data.
    """
    from constructs_lib.environment import load_all
    from operations.recovery.rebuild import Patience
    from operations.recovery.rebuild import rebuild as lead

    env, patience = named(environment), Patience(balancer, timeout)
    step = lead(load_all(), env, plans, patience, finish=finish)
    _take(environment, step, repository)
    done(f"{environment}: {_how_far(step)}")


def _take(environment: str, step: Step, repository: str) -> None:
    """Change the file here or in a pull request, and say what comes then."""
    from constructs_lib.environment import ENVIRONMENTS
    from operations.recovery.change import Proposal, changed, propose
    from operations.secrets.gitops_client import own_client

    body = "\n".join(f"- {line}" for line in step.then)
    if step.edit and repository:
        propose(own_client(), repository, Proposal(environment, step.title, body, step.edit))
    elif step.edit:
        changed(ENVIRONMENTS, environment, step.edit)
        say(f"{ENVIRONMENTS}/{environment}.yaml: changed: {step.title}")
    for line in step.then:
        say(line)


def _how_far(step: Step) -> str:
    return "one step further" if step.edit else "nothing changed"

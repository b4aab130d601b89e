"""`try`: the platform on a cluster that is there, for a first look."""

from __future__ import annotations

from typing import Annotated

import typer

from constructs_lib.base.console import done, say
from constructs_lib.base.errors import DIFFERENT

app = typer.Typer()


@app.command(name="try")
def try_(
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig; its current one unless given.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take all of it away again.")] = False,
) -> None:
    """Bring a small sandbox of the platform to a cluster that is there, and say where things are.

    Vault, object store and the tree's source are in it too, so nothing else is needed. It asks first. Run it again
    after a change of its file, or after it was stopped.
    """
    from operations.trying.up import bring_up, chosen_context

    def agree(question: str) -> bool:
        return yes or typer.confirm(question)

    name = chosen_context(context)
    if remove:
        from operations.trying.down import take_away
        from operations.trying.kubectl import Kubectl

        kubectl = Kubectl(name)
        if not agree(f"This removes the sandbox, with all data in it, from the cluster of context {name}. Go on?"):
            raise typer.Exit(DIFFERENT)
        take_away(kubectl)
        done(f"context {name}: the sandbox is gone; images that the nodes pulled stay with them")
        return
    env = bring_up(name, agree)
    if env is None:
        raise typer.Exit(DIFFERENT)
    from operations.trying.summary import lines

    for line in lines(env, name):
        say(line)
    done(f"context {name}: the sandbox is up")

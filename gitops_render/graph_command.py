"""The command that draws the tiers of an environment."""

from __future__ import annotations

from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import load_all
from gitops_render.app import app
from gitops_render.choice import chosen
from gitops_render.graph import graph as graph_of
from gitops_render.graph import to_mermaid


@app.command()
def graph(
    environment: Annotated[list[str] | None, typer.Option(help="Only this environment; may be repeated.")] = None,
) -> None:
    """Print the tiers of each environment and what they wait for, as Mermaid flowcharts in Markdown."""
    with exit_on_bad_input():
        environments = chosen(load_all(), environment or [])
        drawn = [f"## {env.name}\n\n```mermaid\n{to_mermaid(graph_of(env))}\n```" for env in environments]
    typer.echo("\n\n".join(drawn))

"""The commands that render the tree, and print the schema of what it is rendered from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import exit_on_bad_input
from constructs_lib.environment import Environment, load_all
from gitops_render.app import DIFFERENT, app
from gitops_render.choice import chosen
from gitops_render.difference import difference
from gitops_render.repository import INDEX_NAME, render_repository
from gitops_render.tree import Rendered
from gitops_render.tree import render as render_environment
from gitops_render.write import write


@app.command()
def render(
    output: Annotated[Path, typer.Option(help="The folder of the GitOps repository.")],
    environment: Annotated[list[str] | None, typer.Option(help="Only this environment; may be repeated.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace files that were edited by hand.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; show what would change, and exit 1.")] = False,
) -> None:
    """Write the Flux tree of every environment, or of those named, and the files that all share."""
    with exit_on_bad_input():
        environments = load_all()
        trees = {env.name: render_environment(env) for env in chosen(environments, environment or [])}
        trees[INDEX_NAME] = render_repository(environments)
        if check:
            _show_difference(output, trees)
            return
        for name, rendered in trees.items():
            written = write(output, name, rendered, overwrite=overwrite)
            typer.echo(
                f"{name}: {len(rendered.owned)} files, {len(written.changed)} written, {len(written.removed)} removed"
            )


def _show_difference(output: Path, trees: dict[str, Rendered]) -> None:
    lines = [line for name, rendered in trees.items() for line in difference(output, name, rendered)]
    if lines:
        typer.echo("\n".join(lines))
        raise typer.Exit(DIFFERENT)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the environment files, which editors use."""
    typer.echo(json.dumps(Environment.model_json_schema(), indent=2))

"""The command line of the renderer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.environment import Environment, load_all
from constructs_lib.errors import ConfigError, exit_on_bad_input, unknown
from gitops_render.app import app
from gitops_render.tree import render as render_environment
from gitops_render.write import write

@app.command()
def render(
    output: Annotated[Path, typer.Option(help="The folder of the GitOps repository.")],
    environment: Annotated[list[str] | None, typer.Option(help="Only this environment; may be repeated.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace files that were edited by hand.")] = False,
) -> None:
    """Write the Flux tree of every environment, or of those named."""
    with exit_on_bad_input():
        chosen = _chosen(load_all(), environment or [])
        trees = {env.name: render_environment(env) for env in chosen}
        for name, rendered in trees.items():
            written = write(output, name, rendered, overwrite=overwrite)
            typer.echo(
                f"{name}: {len(rendered.owned)} files, {len(written.changed)} written, {len(written.removed)} removed"
            )


@app.command()
def schema() -> None:
    """Print the JSON Schema of the environment files, which editors use."""
    typer.echo(json.dumps(Environment.model_json_schema(), indent=2))


def _chosen(environments: tuple[Environment, ...], names: list[str]) -> list[Environment]:
    known = [env.name for env in environments]
    for name in names:
        if name not in known:
            raise ConfigError(f"--environment: {unknown('environment', name, known)}")
    return [env for env in environments if not names or env.name in names]

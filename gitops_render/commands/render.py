"""What is written from the environment files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from constructs_lib.base.console import done
from constructs_lib.base.errors import DIFFERENT
from gitops_render.commands.options import Chosen, Output

if TYPE_CHECKING:
    from constructs_lib.environment import Environment
    from gitops_render.tree import Rendered


app = typer.Typer()


@app.command()
def render(
    output: Output,
    environment: Chosen = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that were edited by hand.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; show what would change, and exit 1.")] = False,
) -> None:
    """Write the Flux tree of every environment, or of those named, and the files that all share."""
    from constructs_lib.environment import chosen, load_all
    from gitops_render.repository import INDEX_NAME, render_repository
    from gitops_render.tree import render as render_environment
    from gitops_render.write import write_all

    environments = load_all()
    trees = {env.name: render_environment(env) for env in chosen(environments, environment or [])}
    trees[INDEX_NAME] = render_repository(environments)
    if check:
        _show_difference(output, trees)
        return
    _warn(output, environments, trees)
    written = write_all(output, trees, overwrite=overwrite)
    for name, (changed, removed) in written.items():
        typer.echo(f"{name}: {len(trees[name].written)} files, {len(changed)} written, {len(removed)} removed")
    done(f"{output}: {_counted(trees)} rendered, {sum(map(any, written.values()))} changed")


def _counted(trees: dict[str, Rendered]) -> str:
    return f"{len(trees) - 1} environments and what all share"


def _warn(output: Path, environments: Sequence[Environment], trees: dict[str, Rendered]) -> None:
    """Say on stderr what of the tree in `output` a person has to know before it changes."""
    from constructs_lib.base.errors import warn
    from gitops_render.repository import without_file
    from gitops_render.settings import warnings

    for env in environments:
        for sentence in warnings(output, env.name, trees[env.name]) if env.name in trees else ():
            warn(sentence)
    for name in without_file(output, [env.name for env in environments]):
        warn(f"{name}: has no environment file, and its tree stays; see docs/how-to/remove-an-environment.md")


def _show_difference(output: Path, trees: dict[str, Rendered]) -> None:
    from gitops_render.write import cut_before, difference

    lines = cut_before(output) or [
        line for name, rendered in trees.items() for line in difference(output, name, rendered)
    ]
    if lines:
        typer.echo("\n".join(lines))
        files = sum(line.startswith("+++ ") for line in lines)
        done(f"{output}: {files} files are not as rendered; render writes them", data=True)
        raise typer.Exit(DIFFERENT)
    done(f"{output}: {_counted(trees)} are as rendered", data=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the environment files, which editors use."""
    from constructs_lib.environment import ENVIRONMENTS
    from constructs_lib.environment.schema import file_schema

    schema = file_schema()
    typer.echo(json.dumps(schema, indent=2))
    done(f"JSON Schema of {ENVIRONMENTS}/*.yaml, {len(schema['properties'])} keys at its top", data=True)


@app.command()
def codeowners() -> None:
    """Print this repository's CODEOWNERS: an environment's reviewers own its file, and together all else."""
    from constructs_lib.environment import load_all
    from gitops_render.paths import environment_files
    from gitops_render.repository import code_owners

    environments = load_all()
    typer.echo(code_owners(environments, environment_files).decode(), nl=False)
    done(f"owners of the files of {len(environments)} environments", data=True)

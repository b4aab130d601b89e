"""The command that promotes an environment to the next."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from constructs_lib.base.errors import ConfigError, exit_on_bad_input, unknown
from constructs_lib.environment import Environment, load_all
from gitops_render.app import app
from gitops_render.promote import Promotion
from gitops_render.promote import promote as pin

SHOWN = 50
"""How many commits are printed for people; `--json` gives all."""


@app.command()
def promote(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The environment whose commit is taken.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The environment that is to run it.")],
    repository: Annotated[Path, typer.Option(help="A clone of the GitOps repository, fetched just now.")] = Path(),
    commit: Annotated[str | None, typer.Option(help="A commit that FROM runs or has run, instead of its own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Pin TO to the commit that FROM runs, by one line in its source.yaml; commit that line to promote."""
    with exit_on_bad_input():
        environments = {env.name: env for env in load_all()}
        done = pin(repository, _named(environments, source), _named(environments, target), commit)
    if as_json:
        typer.echo(json.dumps({"source": source, "target": target, **asdict(done)}, indent=2))
    else:
        typer.echo("\n".join(_told(target, done)))


def _named(environments: dict[str, Environment], name: str) -> Environment:
    if name not in environments:
        raise ConfigError(unknown("environment", name, list(environments)))
    return environments[name]


def _told(target: str, done: Promotion) -> list[str]:
    if not done.changed:
        return [f"{target}: runs {done.new} already, nothing changed"]
    rest = len(done.commits) - SHOWN
    more = [f"… and {rest} more"] if rest > 0 else []
    commits = done.commits[:SHOWN] or ("no further commit comes in",)
    return [f"{target}: {done.old} -> {done.new}", *(f"  {line}" for line in (*commits, *more))]

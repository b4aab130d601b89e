"""What several commands ask for, and what they give to later steps of a job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_render.arguments import environment_names

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


PLANS = Path("plans.out")

EnvironmentNames = Annotated[
    list[str] | None,
    typer.Option(
        "--environment",
        metavar="NAME",
        autocompletion=environment_names,
        envvar="ENVIRONMENTS",
        help="Only this environment; may be repeated.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", envvar="DRY_RUN", help="Change nothing; say what would be done.")]


def named(name: str) -> Environment:
    """Return an environment by its name. Raises `ConfigError` with the names that are known."""
    from constructs_lib.environment import chosen, load_all

    (env,) = chosen(load_all(), [name])
    return env


def output(**values: object) -> None:
    """Give values to later steps of a job of GitHub Actions."""
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())

"""What the commands of both programs ask for, and the names with which a shell completes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from constructs_lib.base.errors import ConfigError


def environment_names(incomplete: str) -> list[str]:
    """Return the environments here that begin like this, for a shell that completes a word."""
    from constructs_lib.environment import environment_paths

    return _beginning(incomplete, lambda: [path.stem for path in environment_paths()])


def component_names(incomplete: str) -> list[str]:
    """Return the components that begin like this."""
    from constructs_lib.platform import Platform

    return _beginning(incomplete, lambda: list(Platform.model_fields))


def stack_names(incomplete: str) -> list[str]:
    """Return the stacks of the environments here that begin like this."""
    from constructs_lib.environment import load_all

    return _beginning(incomplete, lambda: [env.stack(kind) for env in load_all() for kind in env.stacks])


def _beginning(incomplete: str, names: Callable[[], list[str]]) -> list[str]:
    """Return those that begin like this; none where the files here cannot be read, which is no shell's business."""
    with suppress(ConfigError):
        return [name for name in names() if name.startswith(incomplete)]
    return []


EnvironmentName = Annotated[
    str, typer.Argument(metavar="ENVIRONMENT", autocompletion=environment_names, help="The environment.")
]
From = Annotated[
    str,
    typer.Argument(metavar="FROM", autocompletion=environment_names, help="The environment whose commit is taken."),
]
To = Annotated[
    str, typer.Argument(metavar="TO", autocompletion=environment_names, help="The environment that is to run it.")
]

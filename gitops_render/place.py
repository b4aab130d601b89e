"""Where a tree may be written."""

from __future__ import annotations

from pathlib import Path

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import ENVIRONMENTS

CHECKOUT = Path(__file__).parents[1]
"""The folder of this program."""


def refuse_place(output: Path) -> None:
    """Raise `ConfigError` if `output` is no folder for a tree: this checkout, what is around it, or Git's own files."""
    there = output.resolve()
    here = {Path.cwd().resolve(), ENVIRONMENTS.resolve().parent, CHECKOUT.resolve()}
    if there in here or any(there in place.parents for place in here):
        raise ConfigError(f"{output}: holds the environment files or this program; choose a folder of its own")
    if there.is_relative_to(ENVIRONMENTS.resolve()) or ".git" in there.parts:
        raise ConfigError(f"{output}: is read by this program or by Git; choose a folder of its own")

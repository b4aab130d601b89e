"""Reading the environment files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from constructs_lib.base.errors import ConfigError, sentences, unknown, warn
from constructs_lib.base.yaml_input import read_mapping
from constructs_lib.environment.capacity import places
from constructs_lib.environment.fitting import doubts, too_much
from constructs_lib.environment.model import TIERS, Environment
from constructs_lib.environment.sharing import problems_between

ENVIRONMENTS = Path("environments")
"""Where the environment files are, seen from the folder in which a command runs."""


def load(path: Path) -> Environment:
    """Return the environment that the file at `path` describes.

    Raises `ConfigError` with every problem of the file; the platform's layers are checked too, and whether its pods can
    fit on their pools. What is doubtful there is a warning on stderr.
    """
    data = read_mapping(path)
    try:
        environment = Environment.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise ConfigError(*sentences(str(path), error, data)) from None
    if environment.name != path.stem:
        raise ConfigError(f"{path}: name: must be '{path.stem}' like the file, found '{environment.name}'; rename one")
    try:
        found = places(environment)
    except ConfigError as error:
        raise ConfigError(*(f"{path}: {problem}" for problem in error.problems)) from None
    if problems := list(too_much(found)):
        raise ConfigError(*(f"{path}: {problem}" for problem in problems))
    for doubt in doubts(found, production=environment.tier == "production"):
        warn(f"{path}: {doubt}")
    return environment


def load_all(folder: Path = ENVIRONMENTS) -> tuple[Environment, ...]:
    """Return the environments of all `*.yaml` files in `folder`, in the order of promotion, then by name.

    Raises `ConfigError` with every problem of every file, and those between files.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ConfigError(
            f"{folder}: no environment file found; add {folder}/<name>.yaml or run from the project's folder"
        )
    environments: list[Environment] = []
    problems: list[str] = []
    for path in paths:
        try:
            environments.append(load(path))
        except ConfigError as error:
            problems += error.problems
    problems += problems_between(folder, environments)
    if problems:
        raise ConfigError(*problems)
    return tuple(sorted(environments, key=lambda env: (TIERS.index(env.tier), env.name)))


def chosen(environments: Sequence[Environment], names: Sequence[str]) -> list[Environment]:
    """Return the environments with these names, or all if none is named. Raises `ConfigError` for an unknown one."""
    known = [env.name for env in environments]
    for name in names:
        if name not in known:
            raise ConfigError(unknown("environment", name, known))
    return [env for env in environments if not names or env.name in names]

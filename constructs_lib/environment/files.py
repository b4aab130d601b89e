"""Reading the environment files: what one says, over what `_shared.yaml` says for all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from constructs_lib.base.errors import ConfigError, unknown, warn
from constructs_lib.base.sentences import sentences
from constructs_lib.base.yaml_input import Document, read_document
from constructs_lib.environment.capacity import for_applications, places, quotas
from constructs_lib.environment.concerns import concerns
from constructs_lib.environment.fitting import crowded, doubts, too_much
from constructs_lib.environment.model import TIERS, Environment
from constructs_lib.environment.sharing import problems_between

ENVIRONMENTS = Path("environments")
"""Where the environment files are, seen from the folder in which a command runs."""

SHARED = "_shared.yaml"
"""The file beside them with what all of them say, unless one says otherwise: maps are merged key by key."""

EXTENSION = "x-"
"""How the keys of a file begin that hold what anchors repeat, and nothing else."""


def load(path: Path) -> Environment:
    """Return the environment that the file at `path` describes, with what all share.

    Raises `ConfigError` with every problem of the file; the platform's layers are checked too, and whether its pods can
    fit on their pools. What is doubtful there is a warning on stderr.
    """
    return _loaded(read(path))


def read(path: Path) -> Document:
    """Return what the file at `path` says, over what all share. Raises `ConfigError` as `read_document` does."""
    shared = path.with_name(SHARED)
    return _over(path, read_document(shared) if shared.is_file() else None)


def _over(path: Path, shared: Document | None) -> Document:
    own = read_document(path)
    whole = own if shared is None else own.over(shared)
    for key in [key for key in whole.data if key.startswith(EXTENSION)]:
        del whole.data[key]
    return whole


def _loaded(document: Document) -> Environment:
    path = document.path
    try:
        environment = Environment.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise ConfigError(*sentences(document, error, Environment)) from None
    if environment.name != path.stem:
        wrong = f"name: must be '{path.stem}' like the file, found '{environment.name}'; rename one"
        raise ConfigError(document.told(wrong))
    try:
        found = places(environment)
        problems = list(too_much(found))
    except ConfigError as error:
        raise ConfigError(*map(document.told, error.problems)) from None
    if problems:
        raise ConfigError(*map(document.told, problems))
    told = [*concerns(environment), *doubts(found, production=environment.tier == "production")]
    if (place := for_applications(found)) is not None:
        told += crowded(place, quotas(environment))
    for doubt in told:
        warn(document.told(doubt))
    return environment


def environment_paths(folder: Path = ENVIRONMENTS) -> list[Path]:
    """Return the files of the environments, by name.

    Raises `ConfigError` if there is none, and for a file that looks like one and would not be read.
    """
    found = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in (".yaml", ".yml")]
    found = [path for path in found if path.name != SHARED and not path.name.startswith(".")]
    if problems := [f"{path}: is not read; name it {path.stem}.yaml" for path in found if path.suffix != ".yaml"]:
        raise ConfigError(*problems)
    if not found:
        raise ConfigError(
            f"{folder}: no environment file found; add {folder}/<name>.yaml or run from the project's folder"
        )
    return found


def load_all(folder: Path = ENVIRONMENTS) -> tuple[Environment, ...]:
    """Return the environments of all `*.yaml` files in `folder`, in the order of promotion, then by name.

    Raises `ConfigError` with every problem of every file, and those between files.
    """
    paths, shared = environment_paths(folder), folder / SHARED
    below = read_document(shared) if shared.is_file() else None
    loaded: list[tuple[Document, Environment]] = []
    problems: list[str] = []
    for path in paths:
        try:
            document = _over(path, below)
            loaded.append((document, _loaded(document)))
        except ConfigError as error:
            problems += error.problems
    problems += problems_between(loaded)
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return tuple(sorted((env for _, env in loaded), key=lambda env: (TIERS.index(env.tier), env.name)))


def chosen(environments: Sequence[Environment], names: Sequence[str]) -> list[Environment]:
    """Return the environments with these names, or all if none is named. Raises `ConfigError` for an unknown one."""
    known = [env.name for env in environments]
    for name in names:
        if name not in known:
            raise ConfigError(unknown("environment", name, known))
    return [env for env in environments if not names or env.name in names]

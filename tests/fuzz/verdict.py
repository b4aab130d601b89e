"""What has to hold for any file: it is refused in true sentences, none twice, or all that it leads to is good."""

from __future__ import annotations

import contextlib
import io
import json
import re
import traceback
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment, load
from constructs_lib.environment.schema import file_schema
from gitops_render.check import POLICIES
from gitops_render.tree import render
from tests.gitops_render.test_schemas import SCHEMAS

LONGEST = 900
"""More letters than anybody reads as one sentence; what is allowed may be a list."""
WORDS_OF_OTHERS = re.compile(
    r"input should|validation|Expected \d|host bits|valid (string|integer|boolean)|Traceback|<class|object at 0x|"
    r"discriminator|NoneType|pydantic|ctx|has no attribute|not subscriptable|unhashable"
)
assert POLICIES


class Verdict(NamedTuple):
    """How a file ended, and what of it was wrong."""

    outcome: str
    wrong: tuple[str, ...]


def verdict(path: Path, text: str) -> Verdict:
    """Return how the file ends when it is read and rendered."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            env = load(path)
    except ConfigError as error:
        return Verdict("refused", tuple(_untrue(path, error.problems)))
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return Verdict("traceback", (f"{type(error).__name__}: {_where(error)}",))
    told = [line.removeprefix("warning: ") for line in said.getvalue().splitlines()]
    return Verdict("taken", (*_untrue(path, told), *_bad_tree(env), *_unlike_the_schema(path, text)))


def _where(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error} at {Path(frame.filename).name}:{frame.name}"[:200]


def _untrue(path: Path, problems: tuple[str, ...] | list[str]) -> list[str]:
    """Return what is wrong with sentences."""
    prefix = re.compile(rf"{re.escape(str(path))}(:\d+)?: ")
    wrong = [f"names no file: {problem}" for problem in problems if not prefix.match(problem)]
    wrong += [f"{len(problem)} letters: {problem[:200]}" for problem in problems if len(problem) > LONGEST]
    wrong += [f"words of others: {problem}" for problem in problems if WORDS_OF_OTHERS.search(problem)]
    wrong += [f"said twice: {problem}" for problem in problems if [*problems].count(problem) > 1]
    wrong += [f"several lines: {problem}" for problem in problems if "\n" in problem]
    keys = [prefix.sub("", problem).partition(": ")[0] for problem in problems]
    for key in keys:
        wrong += [
            f"a second sentence about {key}: {problems}" for other in keys if re.match(rf"{re.escape(key)}[.\[]", other)
        ]
    return wrong


@cache
def _validator(group: str, name: str) -> Draft7Validator | None:
    path = SCHEMAS / group / f"{name}.json"
    return Draft7Validator(json.loads(path.read_text())) if path.is_file() else None


@cache
def _fits(data: bytes) -> str | None:
    """Return what the schema of a kind says to an object."""
    item: Any = yaml.load(data, yaml.CSafeLoader)
    group, _, version = item["apiVersion"].rpartition("/")
    validator = _validator(group, f"{item['kind'].lower()}_{version}") if group else None
    error = None if validator is None else next(validator.iter_errors(item), None)
    return None if error is None else f"{item['kind']} {error.json_path}: {error.message[:150]}"


_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LENGTHS = {"Namespace": 63, "Service": 63, "Cluster": 50, "RabbitmqCluster": 50, "Valkey": 50}


def _named(data: bytes) -> str | None:
    item: Any = yaml.load(data, yaml.CSafeLoader)
    name, kind = item.get("metadata", {}).get("name", "a"), item["kind"]
    if not _NAME.fullmatch(str(name)) or len(name) > _LENGTHS.get(kind, 253):
        return f"{kind} is named {name!r}"
    return None


def _bad_tree(env: Environment) -> list[str]:
    """Return what schemas say to the tree of an environment."""
    try:
        owned = render(env).owned
    except ConfigError as error:
        return [f"loads and does not render: {error}"]
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return [f"rendering, {type(error).__name__}: {_where(error)}"]
    found = (check(data) for data in owned.values() for check in (_fits, _named))
    return sorted({problem for problem in found if problem})


@cache
def _editor() -> Draft202012Validator:
    return Draft202012Validator(file_schema())


def _unlike_the_schema(path: Path, text: str) -> list[str]:
    """Return what an editor would say to a file that is taken."""
    from constructs_lib.environment import read

    error = next(_editor().iter_errors(read(path).data), None)
    return [] if error is None else [f"an editor refuses {error.json_path}: {error.message[:150]}"]

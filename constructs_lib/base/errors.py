"""Bad input, told to the user as one sentence for each problem."""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

DIFFERENT = 1
"""The exit code of a command that found a difference, or broke a policy."""

BAD_INPUT = 2
"""The exit code of every command of this project when its input has to be fixed."""


class ConfigError(Exception):
    """Input that a user has to fix.

    `problems` holds one sentence for each: which file and key, what was found, what is allowed, what to do.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@contextmanager
def exit_on_bad_input() -> Generator[None]:
    """Print the problems of a `ConfigError` on stderr, a line each, and exit with `BAD_INPUT`."""
    try:
        yield
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_INPUT)


def warn(problem: str) -> None:
    """Print on stderr what a user should know of input that is accepted."""
    print(f"warning: {problem}", file=sys.stderr)


def sentences(file: str, error: ValidationError, data: object) -> list[str]:
    """Return one sentence for each problem that Pydantic found in `data`, which was read from `file`."""
    told = ((_key(problem["loc"], data), _what(problem)) for problem in error.errors(include_url=False))
    return [": ".join(filter(None, (file, key, what))) for key, what in told]


def _key(location: Sequence[int | str], data: object) -> str:
    """Return a key path as the user wrote it; Pydantic's own steps (the tag of a union) are not in the file."""
    steps: list[str] = []
    for position, step in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping) and (step in data or last):
            data = data.get(step)
        elif isinstance(step, int) and isinstance(data, Sequence) and step < len(data):
            data = data[step]
        else:
            continue
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(steps).removeprefix(".")


def _what(problem: Mapping[str, Any]) -> str:
    found, context = problem["input"], problem.get("ctx", {})
    match problem["type"]:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            return "is not a known key; correct or remove it"
        case "value_error":
            return f"{context['error']}"
        case "union_tag_not_found":
            return f"needs the key {context['discriminator']}"
        case "union_tag_invalid":
            return f"{context['discriminator']} must be one of {context['expected_tags']}, found '{context['tag']}'"
        case "string_type" if isinstance(found, bool | int | float):
            return f"must be text, found {found!r}; put it in quotes"
        case _:
            return f"{_lower(problem['msg'])}, found {_shown(found)}"


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Return the sentence about a name that is not among the known ones, with the nearest as a suggestion."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{name}', known are {', '.join(known)}{hint}"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

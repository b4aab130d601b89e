"""What Pydantic found, in the words of the person who wrote the file: a sentence for each problem, and no second one.

Pydantic's types of errors: docs.pydantic.dev, "Validation Errors".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from constructs_lib.base.errors import nearest, quoted, shown
from constructs_lib.base.transition import models_of
from constructs_lib.base.yaml_input import Document, steps_of

Problem = Mapping[str, Any]
Location = tuple[int | str, ...]

_EXPECTED = {
    "bool_type": "true or false",
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "too_short": "a list or map of {min_length} or more",
    "too_long": "a list or map of {max_length} or fewer",
}
"""What was expected, by the type of the error."""
_WORD = re.compile(r"[^\s']{100,}")


class Problems(ValueError):  # noqa: N818 - what it holds
    """Several problems that a check of a block found, each a sentence that begins with a key of the block."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def sentences(document: Document, error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one sentence for each problem that Pydantic found in a document that should have been a `model`."""
    return list(_sentences(document, error.errors(include_url=False), model))


def _sentences(document: Document, problems: Sequence[Problem], model: type[BaseModel]) -> Iterator[str]:
    places = [problem["loc"] for problem in problems]
    meant = {key for problem in problems if (key := _meant(problem, model, document.data))}
    for problem in problems:
        known = _known(model, problem["loc"][:-1])
        steps = _written(problem["loc"], document.data, known)
        if problem["type"] == "missing" and tuple(steps) in meant:
            continue
        if problem["type"] in ("too_short", "too_long") and any(_below(problem["loc"], other) for other in places):
            continue  # it counts what is left without the wrong ones
        for what in _what(problem, known):
            told = _short(": ".join(filter(None, (_key(steps), what))))
            yield document.told(told, [*steps, *steps_of(what)])


def _below(place: Location, other: Location) -> bool:
    return len(other) > len(place) and other[: len(place)] == place


def _meant(problem: Problem, model: type[BaseModel], data: object) -> tuple[int | str, ...] | None:
    """Return the key that an unknown one nearly is, if any."""
    if problem["type"] != "extra_forbidden":
        return None
    *around, key = _written(problem["loc"], data)
    near = nearest(str(key), _known(model, problem["loc"][:-1]))
    return (*around, near) if near else None


def _known(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that the block at a location may have, of all blocks that can stand there."""
    models = [model]
    for step in location:
        fields = [one.model_fields[step] for one in models if step in one.model_fields]
        models = [inner for field in fields for inner in models_of(field)] or _tagged(models, step)
    return list(dict.fromkeys(name for one in models for name in one.model_fields))


def _tagged(models: list[type[BaseModel]], step: int | str) -> list[type[BaseModel]]:
    """Return the blocks that a step means that is no key: the tag of a union, or else an entry's name or number."""
    found = [one for one in models if any(step in get_args(field.annotation) for field in one.model_fields.values())]
    return found or models


def _written(location: Sequence[int | str], data: object, known: Sequence[str] = ()) -> list[int | str]:
    """Return the steps as the user wrote them; Pydantic's own (the tag of a union) are not in the file.

    Nor is a key that is missing or has its default: it is the last, and among the `known` ones.
    """
    steps: list[int | str] = []
    for position, step in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping) and (step in data or (last and step in known)):
            data = data.get(step)
        elif isinstance(step, int) and isinstance(data, Sequence) and step < len(data):
            data = data[step]
        else:
            continue
        steps.append(step)
    return steps


def _key(steps: Sequence[int | str]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in steps).removeprefix(".")


def _short(sentence: str) -> str:
    return _WORD.sub(lambda found: shown(found[0]), sentence)


def _what(problem: Problem, known: Sequence[str]) -> Iterator[str]:
    found, context, kind = problem["input"], problem.get("ctx", {}), problem["type"]
    if kind == "value_error":
        yield from getattr(context["error"], "problems", (str(context["error"]),))
    elif kind == "missing":
        yield "is missing; add it"
    elif kind == "extra_forbidden":
        yield _unknown_key(str(problem["loc"][-1]), known)
    elif kind == "string_type" and isinstance(found, bool | int | float):
        yield f"must be text, found {shown(found)}; put it in quotes"
    elif kind in _EXPECTED:
        yield f"must be {_EXPECTED[kind].format(**context)}, found {quoted(found)}"
    else:
        yield (
            _choice(kind, found, context) or f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, found {quoted(found)}"
        )


def _choice(kind: str, found: object, context: Mapping[str, Any]) -> str | None:
    if kind == "union_tag_not_found":
        return f"needs the key {context['discriminator']}"
    if kind == "union_tag_invalid":
        choices = _choices(context["expected_tags"])
        key = context["discriminator"].strip("'()")
        return f"{key} must be {choices}, found '{shown(context['tag'])}'"
    if kind != "literal_error":
        return None
    near = nearest(str(found), re.findall(r"'([^']*)'", context["expected"]))
    return f"must be {_choices(context['expected'])}, found {quoted(found)}" + (
        f"; did you mean '{near}'?" if near else ""
    )


def _unknown_key(key: str, known: Sequence[str]) -> str:
    near = nearest(key, known)
    if near:
        return f"is not a known key; did you mean '{near}'?"
    return f"is not a known key, known are {', '.join(known)}; correct or remove it"


def _choices(expected: str) -> str:
    """Return choices as one reads them: Pydantic has `or` before the last of some, and commas alone in others."""
    names = re.findall(r"'[^']*'|[^\s',]+", expected.replace(" or ", ", "))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

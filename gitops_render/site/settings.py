"""The reference of settings: every key that an environment's file may hold, from the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from constructs_lib.base.change import Change
from constructs_lib.base.transition import SILENT, change_of, models_of
from constructs_lib.environment import Environment
from gitops_render.markdown import code, escaped, table
from gitops_render.site.values import BELOW, REQUIRED, Schema, default, example, unit, what

HEADER = ("key", "what it is", "default", "unit", "example", "what a change of it does")
ABOUT = """\
# Settings

Every key that `environments/<env>.yaml` may hold, from the model. `[]` is an entry of a list, `<name>` a key that you
choose; *below* is a block of its own. What a change does to what runs is said
[in every pull request](../docs/decisions/0040-transitions.md)."""


class Entry(NamedTuple):
    """One setting: the block and the key, and what is said of it."""

    block: str
    key: str
    what: str
    default: str
    unit: str
    example: str
    change: str


def settings_page(examples: Sequence[Mapping[str, Any]]) -> str:
    """Return the page in Markdown, with examples from files or parts of them."""
    found = list(entries(examples))
    lines = [ABOUT]
    for block in dict.fromkeys(entry.block for entry in found):
        title = f"`{block}`" if block else "The file"
        lines += ["", f"## {title}", "", *_table(entry for entry in found if entry.block == block)]
    return "\n".join([*lines, ""])


def _table(found: Iterable[Entry]) -> Iterator[str]:
    yield from table(HEADER, ())
    for one in found:
        values = [text if text in (REQUIRED, BELOW) else code(text) for text in (one.default, one.example)]
        cells = (code(one.key), escaped(one.what), values[0], one.unit, values[1], escaped(one.change))
        yield f"| {' | '.join(cells)} |"


def entries(examples: Sequence[Mapping[str, Any]]) -> Iterator[Entry]:
    """Yield every setting of an environment, block by block."""
    schema = Environment.model_json_schema()
    return _entries(Environment, {**schema["$defs"], Environment.__name__: schema}, "", examples, SILENT)


def _entries(
    model: type[BaseModel], kinds: Schema, block: str, examples: Sequence[Mapping[str, Any]], around: Change
) -> Iterator[Entry]:
    inside: list[Iterator[Entry]] = []
    for key, info in model.model_fields.items():
        setting = kinds[model.__name__]["properties"][key]
        change = change_of(info) or Change(around.rule)
        values = [one[key] for one in examples if one.get(key) is not None]
        said = (what(info, setting), default(info), unit(key, setting), example(values, info, setting))
        yield Entry(block, key, *said, _change(info, change))
        for kind in dict.fromkeys(models_of(info)):
            below = [value for value in _blocks(info, values) if _is_of(kind, value)]
            inside.append(_entries(kind, kinds, _place(block, key, info, kind), below, change))
    for found in inside:
        yield from found


def _place(block: str, key: str, info: FieldInfo, kind: type[BaseModel]) -> str:
    """Return how the key of a block that a setting holds is written, and which of several it is."""
    entry = ".<name>" if get_origin(info.annotation) is dict else "[]" if _is_list(info.annotation) else ""
    which = ", ".join(f"{name}: {choice}" for name, choice in _choices(kind).items())
    several = len(set(models_of(info))) > 1
    return f"{block}{'.' if block else ''}{key}{entry}" + (f" ({which or kind.__name__})" if several else "")


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(map(_is_list, get_args(annotation)))


def _choices(kind: type[BaseModel]) -> dict[str, str]:
    """Return the keys by whose one value a block is told from others."""
    literals = ((name, get_args(info.annotation)) for name, info in kind.model_fields.items())
    return {name: found[0] for name, found in literals if len(found) == 1 and isinstance(found[0], str)}


def _is_of(kind: type[BaseModel], value: Mapping[str, Any]) -> bool:
    return all(value.get(name, choice) == choice for name, choice in _choices(kind).items())


def _blocks(info: FieldInfo, values: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for value in values:
        by_name = get_origin(info.annotation) is dict
        found: Iterable[Any] = value.values() if by_name else value if isinstance(value, list) else (value,)
        yield from (one for one in found if isinstance(one, dict))


def _change(info: FieldInfo, change: Change) -> str:
    if change_of(info) is None and any(models_of(info)) and change.rule == SILENT.rule:
        return BELOW
    return "; ".join(rule if way == "any" else f"{way}: {rule}" for way, rule in change.words().items())

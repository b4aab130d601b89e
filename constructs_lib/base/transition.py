"""What differs between two settings of an environment, and what that does to what runs.

Settings are judged as they are written into the environment's tree: plain data, whichever program wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from constructs_lib.base.change import FREE, Change, Effect, Plain, Rule

Block = Mapping[str, Plain]

SILENT = Change(Rule(Effect.UNKNOWN, "no rule says what a change of it does"))
STRANGE = Rule(Effect.UNKNOWN, "this program does not know the setting")


class Transition(NamedTuple):
    """A setting that differs, what it was and will be, and what that does."""

    key: str
    old: Plain
    new: Plain
    rule: Rule


class _Setting(NamedTuple):
    """A setting: its key, what its change does, the blocks that it can hold, and the old settings beside it."""

    key: str
    change: Change
    models: tuple[type[BaseModel], ...]
    beside: Block

    def judged(self, old: Plain, new: Plain) -> Transition:
        return Transition(self.key, old, new, self.change.of(old, new).after(self.beside))

    def entry(self, name: str, old: Plain) -> _Setting:
        """Return an entry of a list or map; what is beside a block's removal is what it held."""
        beside = old if self.models and isinstance(old, dict) else self.beside
        return self._replace(key=f"{self.key}[{name}]", beside=beside)


def transitions(
    model: type[BaseModel], old: Block, new: Block, key: str = "", around: Change = SILENT
) -> Iterator[Transition]:
    """Yield what differs between two blocks of `model`, in the order of its fields, each with its rule.

    `around` counts for fields that have no `Change` of their own. What a side lacks has its default there.
    """
    for name, info in model.model_fields.items():
        before, after = (_value(info, side, name) for side in (old, new))
        if before != after:
            change = change_of(info) or Change(around.rule)
            yield from _differing(_Setting(f"{key}{name}", change, tuple(models_of(info)), old), info, before, after)
    for name in sorted({*old, *new} - model.model_fields.keys()):
        if old.get(name) != new.get(name):
            yield Transition(f"{key}{name}", old.get(name), new.get(name), STRANGE)


def change_of(info: FieldInfo) -> Change | None:
    """Return what the type of a setting says of its change."""
    return next((mark for mark in info.metadata if isinstance(mark, Change)), None)


def models_of(info: FieldInfo) -> Iterator[type[BaseModel]]:
    """Yield the blocks that a setting can hold, alone or as entries."""
    return _models_in(info.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        yield from (annotation,) if issubclass(annotation, BaseModel) else ()
        return
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _value(info: FieldInfo, side: Block, name: str) -> Plain:
    if name in side or info.is_required():
        return side.get(name)
    default = info.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    return list(default) if isinstance(default, tuple) else default


def _differing(setting: _Setting, info: FieldInfo, old: Plain, new: Plain) -> Iterator[Transition]:
    is_map = get_origin(info.annotation) is dict
    if isinstance(old, list | dict) and isinstance(new, list | dict) and (is_map or isinstance(old, list)):
        yield from _entries(setting, _by_name(setting, old), _by_name(setting, new))
    elif setting.models and isinstance(old, dict) and isinstance(new, dict):
        yield from _block(setting, old, new)
    else:
        yield setting.judged(old, new)


def _block(setting: _Setting, old: Block, new: Block) -> Iterator[Transition]:
    model = next((one for one in setting.models if _fits(one, old) and _fits(one, new)), None)
    if model is None:
        yield setting.judged(old, new)
    else:
        yield from transitions(model, old, new, f"{setting.key}.", setting.change)


def _entries(setting: _Setting, old: Block, new: Block) -> Iterator[Transition]:
    """Yield what differs between two lists or maps: entries that came, went or differ, or else their order."""
    if old == new:
        yield Transition(setting.key, list(old), list(new), FREE)
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        entry = setting.entry(name, before)
        if before == after:
            continue
        if setting.models and before is not None and after is not None:
            yield from _block(entry, before, after)
        else:
            yield entry.judged(before, after)


def _by_name(setting: _Setting, values: Plain) -> dict[str, Plain]:
    """Return a list or map by the names of its entries; plain values are their own names."""
    if isinstance(values, dict):
        return values
    by = setting.change.by
    return {str(item.get(by, at) if isinstance(item, dict) else item): item for at, item in enumerate(values)}


def _fits(model: type[BaseModel], value: Block) -> bool:
    """Say whether a block is of this model, by the fields whose choices tell the models of a setting apart."""
    literals = ((name, info.annotation) for name, info in model.model_fields.items())
    apart = {name: get_args(kind) for name, kind in literals if get_origin(kind) is Literal}
    return all(name not in value or value[name] in choices for name, choices in apart.items())

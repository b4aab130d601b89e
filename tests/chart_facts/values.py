"""Values that a chart takes and does nothing with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Release, Values
from tests.chart_facts import helm


def silent(release: Release) -> Iterator[str]:
    """Yield the values that may be anything without a change of what the chart makes."""
    before = helm.template(release)
    for path, value in _leaves(release.values):
        if _made(release, path, value) == before:
            yield f"{release.name}: {'.'.join(path)}"


def _made(release: Release, path: tuple[str, ...], value: Any) -> str | None:
    """Return what the chart makes with another value; nothing where it refuses that, for then it reads it."""
    changed: Values = copy.deepcopy(release.values)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = _other(value)
    try:
        return helm.template(replace(release, values=changed))
    except ConfigError:
        return None


def _other(value: Any) -> Any:
    """Return another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"{value}x"
        case list():
            return [] if value else [{"name": "other"}]
        case _:
            return {"other": "other"}


def _leaves(values: Values, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value

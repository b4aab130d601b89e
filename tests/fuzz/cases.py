"""The kinds of files that are tried: text, data and settings of the shipped ones changed, and some from the schema."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.fuzz import schema
from tests.support import environment_data

FILES = ("sandbox", "staging", "production")
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3.0, 1.5, 2**63 - 1, -(2**63), 10**6, "", " ", "a", "A", "-", "..", "../..", "/"),
    *("yes", "012", "0x1", "1e3", "2026-01-31", "1:30", "~", "null", "none", "${x}", "%{if}", "{{ .x }}", "$(x)"),
    *("a" * 64, "a" * 300, "é", "\u202e", "\x7f", "a\nb", "a b", "a_b", "a.b", "a--b", "xn--a", "*", "(", "[a-"),
    *([], {}, [None], {"": None}, [[]], {"a": {"b": []}}, ["a", "a"], [{}], {"name": "a"}, {"enabled": False}),
    *("default", "kube-system", "flux-system", "cnpg-system", "app", "ca", "postgres", "main", "default-user"),
    *("lon1", "xyz9", "s-1vcpu-1gb", "s-8vcpu-16gb", "1.99", "1.36", "0 0 2 * * *", "99 99 99 99 99 99", "1Mi", "99Ti"),
    *("10.0.0.0/8", "10.20.0.0/20", "10.244.0.0/16", "https://h:82OO", "https://u:p@h", "https://h", "a..b", "main"),
)
"""What people and programs write where something else was meant."""

Path = tuple[Any, ...]
Random = random.Random


def places(data: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where something stands in nested data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _replaced(data: Any, path: Path, chance: Random) -> None:
    _at(data, path[:-1])[path[-1]] = copy.deepcopy(chance.choice(STRANGE))


def _removed(data: Any, path: Path, _chance: Random) -> None:
    del _at(data, path[:-1])[path[-1]]


def _misspelt(data: Any, path: Path, chance: Random) -> None:
    around, key = _at(data, path[:-1]), path[-1]
    if isinstance(key, str):
        cut = chance.randrange(len(key) + 1)
        around[key[:cut] + chance.choice(("", "x", "_", "-", key[:1].upper())) + key[cut + 1 :]] = around.pop(key)
    else:
        around.append(copy.deepcopy(around[key]))


def _moved(data: Any, path: Path, chance: Random) -> None:
    other = chance.choice([*places(data)])
    _at(data, path[:-1])[path[-1]] = copy.deepcopy(_at(data, other))


def _added(data: Any, path: Path, chance: Random) -> None:
    value = _at(data, path)
    if isinstance(value, dict):
        value[chance.choice(("x", "x-a", "enabled", "extra_values", "name", "<<"))] = copy.deepcopy(
            chance.choice(STRANGE)
        )
    elif isinstance(value, list):
        value.insert(0, copy.deepcopy(chance.choice(STRANGE)))
    else:
        _replaced(data, path, chance)


CHANGES: tuple[Callable[[Any, Path, Random], None], ...] = (_replaced, _replaced, _removed, _misspelt, _moved, _added)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A shipped file with one to three places changed."""
    data = environment_data(draw(st.sampled_from(FILES)))
    data["name"] = "sandbox"
    chance = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        if found := [*places(data)]:
            chance.choice(CHANGES)(data, chance.choice(found), chance)
    return yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True)


def _settings(node: schema.Schema, path: Path = ()) -> Iterator[tuple[Path, schema.Schema]]:
    """Yield each setting of the schema that is not in a list, with its schema."""
    node = schema.resolved(node)
    for key, inner in node.get("properties", {}).items():
        yield (*path, key), inner
        yield from _settings(inner, (*path, key))


SETTINGS = [*_settings(schema.whole())]


@st.composite
def drawn(draw: st.DrawFn) -> str:
    """A shipped file with one or two settings as the schema allows them."""
    data = environment_data(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.sampled_from((1, 1, 2)))):
        path, node = draw(st.sampled_from(SETTINGS))
        around = data
        for step in path[:-1]:
            inner = around.get(step)
            around[step] = inner if isinstance(inner, dict) else {}
            around = around[step]
        around[path[-1]] = draw(schema.values(node, 2))
    data["name"] = "sandbox"
    return yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True)


LINES = (
    *(
        "\t",
        "---",
        "...",
        "- a",
        "? a",
        "a: b: c",
        "<<: {a: b}",
        "<<: [*x]",
        "x-a: &x {tier: sandbox}",
        "*x",
        "!!int 3",
    ),
    *("name: sandbox", "region: !foo a", "a: .inf", "b: .nan", "c: 1e999", "d: 0o14", "e: 0b1", "f: 1_0", "%YAML 1.1"),
    *(
        "a: 'b",
        'a: "\\q"',
        "&a [*a]",
        "{",
        "}",
        "[",
        "]",
        "# x",
        "\ufeff",
        "\x00",
        "\x85",
        "  ",
        "a: |",
        "a: >-",
        "@",
        "`",
    ),
)


@st.composite
def edited(draw: st.DrawFn) -> str:
    """The text of a shipped file with lines and letters moved, cut, doubled and put in."""
    data = environment_data(draw(st.sampled_from(FILES)), name="sandbox")
    lines = yaml.dump(data, Dumper=yaml.CSafeDumper).splitlines()
    chance = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(1, 3))):
        at = chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, chance.choice(LINES))
            case 2:
                lines.insert(at, chance.choice(lines))
            case 3:
                lines[at] = " " * chance.randrange(4) + lines[at]
            case 4:
                cut = chance.randrange(len(lines[at]) + 1)
                lines[at] = (
                    lines[at][:cut]
                    + chance.choice(("", ":", "'", '"', "#", "é", "*", "&", "-", "\t"))
                    + lines[at][cut:]
                )
            case _:
                cut = chance.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:cut]
        lines = lines or [""]
    return "\n".join(lines) + "\n"


KINDS: dict[str, st.SearchStrategy[str]] = {
    "data changed": mutated(),
    "settings drawn": drawn(),
    "text changed": edited(),
}

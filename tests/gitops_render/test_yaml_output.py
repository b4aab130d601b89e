"""Every YAML reader must read the same objects."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from constructs_lib.base.quantities import Minutes
from gitops_render.yaml_output import to_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"))
SCALARS = TEXT | st.booleans() | st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)


def read_as_1_2(data: bytes) -> Any:
    return YAML(typ="safe", pure=True).load(io.BytesIO(data))


@settings(deadline=None)
@given(VALUES)
@example([0.0, -0.0, 1e20, 2.5e-07, float("inf"), 1, True, 1.0, False, 0, None, 2**80])
def test_readers_of_yaml_1_1_and_1_2_agree(value: Any) -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": value}
    written = to_yaml(item)
    for read in (yaml.safe_load(written), read_as_1_2(written)):
        assert read == item


@pytest.mark.parametrize(
    "text",
    ["y", "n", "Y", "on", "Off", "yes", "1e3", "0x1F", "0o14", "012", "1_000", "12:30:45", "1.0", ".5", "-", "~",
     "null", "2025-01-01", "", " lead", "trail ",
     "#x", "&a", "*a", "!t", "%d", "@x", "`x", "=", "<<", "a: b", ".inf", "NaN"],
)  # fmt: skip
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    written = to_yaml({"data": {"key": text}})
    assert yaml.safe_load(written)["data"]["key"] == text
    assert read_as_1_2(written)["data"]["key"] == text


@pytest.mark.parametrize("text", ["y", "n", "Y", "NO", "1e3", "on", "0x1F", "0o14", ".5", ".5e3", "null", "~"])
def test_what_readers_disagree_about_is_quoted(text: str) -> None:
    assert to_yaml({"data": text}) == f'data: "{text}"\n'.encode()


def test_keys_have_one_order() -> None:
    shuffled = {"spec": {"b": 1, "a": {"d": 1, "c": 2}}, "kind": "K", "metadata": {"name": "x"}, "apiVersion": "v1"}
    assert to_yaml(shuffled) == (
        b"apiVersion: v1\nkind: K\nmetadata:\n  name: x\nspec:\n  a:\n    c: 2\n    d: 1\n  b: 1\n"
    )


def test_long_text_is_a_block_and_lists_never_share() -> None:
    shared = ["x"]
    assert to_yaml({"a": "one\ntwo\n", "b": shared, "c": shared}) == b"a: |\n  one\n  two\nb:\n- x\nc:\n- x\n"


def test_what_looks_the_same_is_written_as_what_it_is() -> None:
    assert to_yaml({"a": [1, True, 1.0, -0.0, 0.0, "1", None]}) == (
        b'a:\n- 1\n- true\n- 1.0\n- -0.0\n- 0.0\n- "1"\n- null\n'
    )


def test_only_the_first_keys_of_an_object_come_first() -> None:
    item = {"data": {"kind": "K", "a": 1}, "metadata": {}, "kind": "K"}
    assert to_yaml(item) == b"kind: K\nmetadata: {}\ndata:\n  a: 1\n  kind: K\n"


def test_text_beyond_ascii_stays_readable_and_long_text_is_folded_at_120() -> None:
    assert to_yaml({"a": "é → ü"}) == "a: é → ü\n".encode()
    assert max(map(len, to_yaml({"a": "word " * 60 + "end"}).splitlines())) in range(115, 124)


def test_quantities_and_tuples_are_plain_text_and_lists() -> None:
    assert to_yaml({"a": (Minutes("10m"), "x")}) == b'a:\n- "10m"\n- x\n'

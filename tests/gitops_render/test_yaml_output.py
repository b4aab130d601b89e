"""Every YAML reader must read the same objects."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops_render.yaml_output import to_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"))
SCALARS = TEXT | st.booleans() | st.none() | st.integers(-(2**53), 2**53)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)


def read_as_1_2(data: bytes) -> Any:
    return YAML(typ="safe", pure=True).load(io.BytesIO(data))


@settings(deadline=None)
@given(VALUES)
def test_readers_of_yaml_1_1_and_1_2_agree(value: Any) -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": value}
    written = to_yaml(item)
    assert yaml.safe_load(written) == item
    assert read_as_1_2(written) == item


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


@pytest.mark.parametrize("text", ["y", "n", "Y", "NO", "1e3", "on", "0x1F", "0o14", ".5", "null", "~"])
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


def test_letters_are_written_as_they_are_and_long_lines_folded_at_120() -> None:
    assert to_yaml({"a": "é …"}) == "a: é …\n".encode()
    longest = max(to_yaml({"a": "word " * 60}).decode().splitlines(), key=len)
    assert 115 < len(longest) <= 125

"""Reading YAML that a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.yaml_input import read_mapping


def test_a_mapping_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: {b: [1, 'x', null]}\n")
    assert read_mapping(path) == {"a": {"b": [1, "x", None]}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a: 1\nb:\n  c: 1\n  c: 2\n",
            "cannot be read as YAML at line 4, column 3: the key 'c' stands twice, first at line 3; remove one",
        ),
        ("a: 1\n1: 2\n", "cannot be read as YAML at line 2, column 1: a key must be text; correct it"),
        ("a: [\n", "cannot be read as YAML at line 2, column 1: "),
        ("- a\n", "must hold keys and values, found a list"),
    ],
)
def test_anything_else_is_one_sentence_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: {sentence}")

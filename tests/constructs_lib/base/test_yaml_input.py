"""Reading YAML that a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.yaml_input import read_document, read_mapping


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("012", 12), ("0o14", 12), ("0xF", 15), ("-3", -3), ("+3", 3), ("1_0", "1_0"), ("0b1", "0b1")),
        *(("1:30", "1:30"), ("2026-01-31", "2026-01-31"), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("1.5e-1", 0.15)),
        *(("yes", "yes"), ("No", "No"), ("on", "on"), ("y", "y"), ("true", True), ("FALSE", False), ("tRue", "tRue")),
        *(("~", None), ("null", None), ("Null", None), ("", None), ("nULL", "nULL"), ("=", "="), ("'12'", "12")),
        *(('"true"', "true"), ("1.2.3", "1.2.3"), ("v1", "v1"), ("9223372036854775807", 2**63 - 1)),
    ],
)
def test_scalars_are_read_by_the_core_rules_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"a: {text}\n")
    found = read_mapping(path)["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: .inf\n", "at line 1, column 4: .inf is no number that JSON has; write another, or put it in quotes"),
        ("a: .NaN\n", "at line 1, column 4: .NaN is no number that JSON has"),
        ("a: 1e999\n", "at line 1, column 4: a number is too large for those who read it"),
        (f"a: {'9' * 5000}\n", "at line 1, column 4: a number is too large for those who read it"),
        ("a: 9223372036854775808\n", "at line 1, column 4: a number is too large for those who read it"),
        ("a: &x\n  b: *x\n", "at line 2, column 6: '*x' has no anchor that ends before it; correct it"),
        ("a: *x\n", "at line 1, column 4: '*x' has no anchor that ends before it; correct it"),
        ("a: !foo b\n", "at line 1, column 4: the tag '!foo' means nothing here; leave it out"),
        ("a: !!python/name:os.system\n", "the tag 'tag:yaml.org,2002:python/name:os.system' means nothing here"),
        ("a: 1\n---\nb: 1\n", "at line 2, column 1: another document begins; keep one"),
        ("a: " + "[" * 70 + "]" * 70 + "\n", "lists and maps stand more than 64 deep in each other; write fewer"),
        ("<<: [1]\n", "at line 1, column 1: '<<' takes a map or a list of maps, by their anchors; correct it"),
        ("a: 1\nb: 1\na: 2\n", "at line 3, column 1: the key 'a' stands twice, first at line 1; remove one"),
        ("a: '\x00'\n", "control characters are not allowed"),
    ],
)
def test_what_others_could_not_read_is_refused_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: cannot be read as YAML")
    assert sentence in problem
    assert "\n" not in problem
    assert len(problem) < 300


def test_anchors_that_repeat_too_much_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 7)]
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=r"at line 6, .* more than 100000 values, with what anchors repeat"):
        read_mapping(path)
    path.write_text(f"a: &a '{'x' * 10**6}'\nb: [{', '.join(['*a'] * 20)}]\n")
    with pytest.raises(ConfigError, match=r"at line 2, .* more than 100000 values"):
        read_mapping(path)


def test_merge_keys_give_what_a_map_does_not_say_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\nq: {'<<': 1}\n")
    assert read_mapping(path)["z"] == {"a": 1, "b": 1, "c": 3}
    assert read_mapping(path)["q"] == {"<<": 1}


def test_a_sentence_names_the_line_of_the_deepest_key_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  b:\n    - c: 1\n    - c: 2\n      d.e: 3\n")
    document = read_document(path)
    assert document.told("a.b[1].c: is wrong") == f"{path}:4: a.b[1].c: is wrong"
    assert document.told("a.b[7].c: is wrong") == f"{path}:2: a.b[7].c: is wrong"
    assert document.told("a.x must be there") == f"{path}:1: a.x must be there"
    assert document.told("nothing is right") == f"{path}: nothing is right"
    assert document.told("d.e: is wrong", ["a", "b", 1, "d.e"]) == f"{path}:5: d.e: is wrong"


def test_a_document_lies_over_another_one(tmp_path: Path) -> None:
    above, below = tmp_path / "above.yaml", tmp_path / "below.yaml"
    above.write_text("a: {b: 1, l: [1]}\nc: 1\n")
    below.write_text("c: {x: 1}\na:\n  b: 2\n  d: 2\n  l: [2, 3]\ne: 5\n")
    whole = read_document(above).over(read_document(below))
    assert whole.data == {"a": {"b": 1, "d": 2, "l": [1]}, "c": 1, "e": 5}
    assert [whole.where(key) for key in ("a.b", "a.d", "c", "e", "a.l[0]")] == [
        f"{above}:1",
        f"{below}:4",
        f"{above}:2",
        f"{below}:6",
        f"{above}:1",
    ]

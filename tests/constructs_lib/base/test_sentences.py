"""What Pydantic found, as its user reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, ValidationError, field_validator, model_validator

from constructs_lib.base.fields import Range
from constructs_lib.base.sentences import Problems, sentences
from constructs_lib.base.settings import Settings
from constructs_lib.base.yaml_input import read_document


class Pool(Settings):
    """A list entry."""

    size: str
    kind: Literal["small", "large"] = "small"
    nodes: int = Field(default=1, ge=1, le=9)
    spot: bool = False

    @field_validator("size")
    @classmethod
    def _size(cls, size: str) -> str:
        if size == "bad":
            raise ValueError("is bad; take another")
        return size


class A(Settings):
    """One of two."""

    method: Literal["a"]
    key: str = ""


class B(Settings):
    """The other."""

    method: Literal["b"]
    other: str = ""


class File(Settings):
    """A file."""

    pools: Annotated[tuple[Pool, ...], Field(min_length=1)]
    login: Annotated[A | B | None, Field(discriminator="method")] = None
    named: dict[str, Pool] = Field(default_factory=dict)
    range: Range | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if len(self.pools) == 2:
            raise Problems(["pools: are two", "named is empty"])
        return self


def said(tmp_path: Path, text: str) -> list[str]:
    """Return the sentences about a file, without its folder."""
    path = tmp_path / "f.yaml"
    path.write_text(text)
    document = read_document(path)
    with pytest.raises(ValidationError) as caught:
        File.model_validate_json(json.dumps(document.data))
    return [sentence.replace(f"{tmp_path}/", "") for sentence in sentences(document, caught.value, File)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\npools: [{size: s}]\n", "f.yaml:1: a: is not a known key, known are pools, login, named, range; "),
        ("pools: [{size: s}]\nnammed: {}\n", "f.yaml:2: nammed: is not a known key; did you mean 'named'?"),
        (
            "pools: [{size: s}]\nnamed:\n  x: {size: s, nods: 1}\n",
            "f.yaml:3: named.x.nods: is not a known key; did you",
        ),
        (
            "pools:\n  - {size: s}\n  - \n    size: s\n    sise: t\n",
            "f.yaml:5: pools[1].sise: is not a known key; did you",
        ),
        ("pools:\n  - {sise: s}\n", "f.yaml:2: pools[0].sise: is not a known key; did you mean 'size'?"),
        ("pools:\n  - {kind: small}\n", "f.yaml:2: pools[0].size: is missing; add it"),
        ("login:\n", "f.yaml: pools: is missing; add it"),
        ("pools: []\n", "f.yaml:1: pools: must be a list or map of 1 or more, found []"),
        ("pools:\n  - {size: bad}\n", "f.yaml:2: pools[0].size: is bad; take another"),
        ("pools: [{size: 3}]\n", "f.yaml:1: pools[0].size: must be text, found 3; put it in quotes"),
        ("pools: [{size: true}]\n", "f.yaml:1: pools[0].size: must be text, found true; put it in quotes"),
        ("pools: [{size: []}]\n", "f.yaml:1: pools[0].size: must be text, found []"),
        ("pools: {}\n", "f.yaml:1: pools: must be a list, found {}"),
        ("pools: [3]\n", "f.yaml:1: pools[0]: must be keys and values, found 3"),
        ("pools: [{size: s, kind: c}]\n", "f.yaml:1: pools[0].kind: must be 'small' or 'large', found 'c'"),
        ("pools: [{size: s, kind: smal}]\n", "'small' or 'large', found 'smal'; did you mean 'small'?"),
        ("pools: [{size: s, nodes: 0}]\n", "f.yaml:1: pools[0].nodes: must be 1 or more, found 0"),
        ("pools: [{size: s, nodes: 10}]\n", "f.yaml:1: pools[0].nodes: must be 9 or less, found 10"),
        ("pools: [{size: s, nodes: 1.5}]\n", "f.yaml:1: pools[0].nodes: must be a whole number, found 1.5"),
        ("pools: [{size: s, spot: yes}]\n", "f.yaml:1: pools[0].spot: must be true or false, found 'yes'"),
        ("pools: [{size: s}]\nlogin: {key: a}\n", "f.yaml:2: login: needs the key 'method'"),
        ("pools: [{size: s}]\nlogin: {method: c}\n", "f.yaml:2: login: method must be 'a' or 'b', found 'c'"),
        (
            "pools: [{size: s}]\nlogin:\n  method: a\n  kye: x\n",
            "f.yaml:4: login.kye: is not a known key; did you mean 'key'?",
        ),
        (
            "pools: [{size: s}]\nrange: 5\n",
            "f.yaml:2: range: must be a range of IPv4 addresses, by its first one, such ",
        ),
        ("pools: [{size: s}]\nrange: 10.0.0.1/20\n", "found '10.0.0.1/20'; did you mean '10.0.0.0/20'?"),
    ],
)
def test_a_problem_is_one_sentence_with_file_line_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    (told,) = said(tmp_path, text)
    assert sentence in told
    assert len(told) < 180


def test_several_problems_of_a_block_are_several_sentences(tmp_path: Path) -> None:
    assert said(tmp_path, "pools:\n  - {size: a}\n  - {size: b}\n") == [
        "f.yaml:1: pools: are two",
        "f.yaml: named is empty",
    ]


def test_what_is_very_long_is_shortened(tmp_path: Path) -> None:
    for text in (f"pools: [{{size: s, kind: {'c' * 10**5}}}]\n", f"pools: [{{size: s}}]\nnamed: {{{'x' * 900}: 3}}\n"):
        (told,) = said(tmp_path, text)
        assert len(told) < 300

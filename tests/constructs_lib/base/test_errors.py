"""What a user reads when something has to be fixed, and the exit code."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import ValidationError

from constructs_lib.base.errors import BAD_INPUT, DIFFERENT, ConfigError, exit_on_bad_input, sentences, unknown
from constructs_lib.base.settings import Settings


def test_exit_codes_are_a_contract_with_workflows() -> None:
    assert (DIFFERENT, BAD_INPUT) == (1, 2)


def test_every_problem_is_a_line_on_stderr_and_the_exit_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_, exit_on_bad_input():
        raise ConfigError("a: is wrong; mend it", "b: is missing; add it")
    assert exit_.value.code == 2
    assert capsys.readouterr() == ("", "a: is wrong; mend it\nb: is missing; add it\n")


def test_without_a_problem_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with exit_on_bad_input():
        pass
    assert capsys.readouterr() == ("", "")


def test_a_name_that_is_nearly_known_is_suggested() -> None:
    known = ["traefik", "baseline"]
    assert unknown("component", "treafik", known) == (
        "unknown component 'treafik', known are traefik, baseline; did you mean 'traefik'?"
    )
    assert unknown("component", "xyz", known) == "unknown component 'xyz', known are traefik, baseline"


class Pool(Settings):
    """A list entry."""

    size: str
    kind: Literal["a", "b"] = "a"


class File(Settings):
    """A file."""

    pools: tuple[Pool, ...]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "f.yaml: pools: is missing; add it"),
        ({"pools": [], "polls": 1}, "f.yaml: polls: is not a known key; correct or remove it"),
        ({"pools": [{"size": "s"}, {"size": 3}]}, "f.yaml: pools[1].size: must be text, found 3; put it in quotes"),
        ({"pools": [{"size": 1.5}]}, "f.yaml: pools[0].size: must be text, found 1.5; put it in quotes"),
        ({"pools": [{"size": []}]}, "f.yaml: pools[0].size: input should be a valid string, found []"),
        ({"pools": [{"size": "s", "kind": "c"}]}, "f.yaml: pools[0].kind: input should be 'a' or 'b', found 'c'"),
        ({"pools": [{"size": {"k": "v" * 99}}]}, f"valid string, found {{'k': '{'v' * 50}..."),
    ],
)
def test_a_problem_is_told_with_file_key_and_what_was_found(data: object, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        File.model_validate(data, strict=False)
    (told,) = sentences("f.yaml", caught.value, data)
    assert sentence in told
    assert len(told) < 140

"""What a user reads when something has to be fixed, and the exit code."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import BAD_INPUT, DIFFERENT, ConfigError, exit_on_bad_input, quoted, shown, unknown


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
    many = [f"c{number:06}" for number in range(50)]
    assert unknown("component", "xyz", many).endswith(", c000043 and 6 more"), "444 letters would be too many"
    assert unknown("component", "xyz", ["c" * 500, "d"]).endswith(f"known are {'c' * 500} and 1 more")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        ("a\nb\x7f", "a\\nb\\u007f"),
        (None, "null"),
        ({"a": [1.5, "ä"]}, '{"a": [1.5, "ä"]}'),
        ("a" * 80, "a" * 80),
        ("a" * 81, "a" * 77 + "..."),
        ("https://me:secret@vault.example", "https://…@vault.example"),
    ],
)
def test_what_was_found_is_shown_as_in_the_file_shortened_and_without_who_logs_in(value: object, text: str) -> None:
    assert shown(value) == text
    assert quoted(value) == (f"'{text}'" if isinstance(value, str) else text)

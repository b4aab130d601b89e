"""What a person sees of a program while it works, and when it is done."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from constructs_lib.base import console
from constructs_lib.base.console import done, step, timed
from constructs_lib.base.errors import ConfigError


def test_a_step_is_one_plain_line_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with step("plan [sandbox]"):
        pass
    assert capsys.readouterr() == ("plan [sandbox] …\n", "")


def test_a_step_on_a_terminal_ends_in_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    terminal = Console(force_terminal=True, highlight=False, soft_wrap=True)
    monkeypatch.setattr(console, "_console", lambda: terminal)
    with step("look"), step("plan"):
        pass
    printed = capsys.readouterr().out
    assert re.search(r"plan: \d+ s\n", printed)
    assert re.search(r"look: \d+ s\n$", printed)


def test_a_summary_is_kept_apart_from_data(capsys: pytest.CaptureFixture[str]) -> None:
    done("12 files in out")
    assert capsys.readouterr() == ("12 files in out\n", "")
    done("12 files in out", data=True)
    assert capsys.readouterr() == ("", "12 files in out\n")


def ended(how: BaseException | None) -> None:
    if how is not None:
        raise how


@pytest.mark.parametrize(
    ("seconds", "how", "said"),
    [
        (2.0, None, ""),
        (2.1, None, "program: took 2 s\n"),
        (65.0, SystemExit(1), "program: took 65 s\n"),
        (65.0, ConfigError("it is wrong"), ""),
    ],
)
def test_how_long_it_took_is_said_if_that_was_long(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    how: BaseException | None,
    said: str,
) -> None:
    times = iter((1000.0, 1000.0 + seconds))
    clock: Callable[[], float] = lambda: next(times)  # noqa: E731
    monkeypatch.setattr(time, "monotonic", clock)
    caught = None
    try:
        with timed("program"):
            ended(how)
    except BaseException as error:  # noqa: BLE001 - whatever it was
        caught = error
    monkeypatch.undo()
    assert caught is how
    assert capsys.readouterr() == ("", said)

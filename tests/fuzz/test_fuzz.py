"""A few hundred files that nobody would write; `make bench` tries ten thousand, and other ones each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from tests.fuzz.cases import KINDS
from tests.fuzz.verdict import Verdict, verdict
from tests.support import environment_data, run_python

CASES = 100
TRIED = """
import json, pathlib, sys
from tests.fuzz.__main__ import attempts
from tests.fuzz.cases import KINDS
counted, wrong = attempts(KINDS[sys.argv[1]], int(sys.argv[2]), 0, pathlib.Path())
print(json.dumps([counted, [*wrong]]))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_told_or_taken_truly(tmp_path: Path, kind: str) -> None:
    """In a process of its own: Hypothesis draws from the constants of all modules that are imported."""
    done = run_python("-c", TRIED, kind, str(CASES), folder=tmp_path, PYTHONHASHSEED="0")
    counted, wrong = json.loads(done.stdout or "[{}, []]")
    assert (wrong, done.returncode) == ([], 0), done.stderr
    assert sum(counted.values()) >= CASES // 2
    assert counted["refused"] > CASES // 10


@pytest.mark.parametrize(
    ("sentences", "wrong"),
    [
        (("{}:1: region: must be x, found 'y'",), ""),
        (("region: must be x",), "names no file"),
        (("{}: region: input should be a valid string",), "words of others"),
        (("{}: a: is wrong", "{}: a: is wrong"), "said twice"),
        (("{}: a: is wrong", "{}:2: a.b: is wrong"), "a second sentence about a"),
        (("{}: a: is wrong", "{}:2: ab: is wrong"), ""),
        (("{}: " + "x" * 1000,), "letters"),
        (("{}: a: is\nwrong",), "several lines"),
    ],
)
def test_the_judge_sees_what_is_wrong_with_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentences: tuple[str, ...], wrong: str
) -> None:
    path = tmp_path / "sandbox.yaml"

    def load(path: Path) -> None:
        raise ConfigError(*(sentence.format(path) for sentence in sentences))

    monkeypatch.setattr("tests.fuzz.verdict.load", load)
    found = verdict(path, "")
    assert found.outcome == "refused"
    assert all(wrong in text for text in found.wrong)
    assert bool(found.wrong) == bool(wrong)


def test_the_judge_sees_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: Path) -> None:
        raise KeyError("x")

    monkeypatch.setattr("tests.fuzz.verdict.load", load)
    assert verdict(tmp_path / "sandbox.yaml", "").outcome == "traceback"


def test_the_judge_takes_the_shipped_sandbox(tmp_path: Path) -> None:
    assert verdict(tmp_path / "sandbox.yaml", yaml.safe_dump(environment_data())) == Verdict("taken", ())

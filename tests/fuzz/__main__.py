"""Try files, each kind in turn, and print what was found: `python -m tests.fuzz [CASES] [SEED]`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz.cases import KINDS
from tests.fuzz.verdict import verdict


def attempts(files: SearchStrategy[str], cases: int, start: int, folder: Path) -> tuple[Counter[str], dict[str, str]]:
    """Try files of a kind; return how many ended how, and the first file for each thing that was wrong."""
    counted: Counter[str] = Counter()
    wrong: dict[str, str] = {}

    @seed(start)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(files)
    def attempt(text: str) -> None:
        found = verdict(folder / "sandbox.yaml", text)
        counted[found.outcome] += 1
        for sentence in found.wrong:
            wrong.setdefault(sentence, text)

    attempt()
    return counted, wrong


def main(cases: int = 10_000, start: int | None = None) -> int:
    """Try `cases` files and print a table; return 1 if one of them broke what has to hold."""
    start = time.time_ns() if start is None else start
    print(f"seed {start}", flush=True)
    findings = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind, files in KINDS.items():
            began = time.monotonic()
            counted, wrong = attempts(files, cases // len(KINDS), start, Path(folder))
            print(f"{kind}: {dict(counted)} in {time.monotonic() - began:.0f} s, {len(wrong)} findings", flush=True)
            for sentence, text in wrong.items():
                print(f"--- {sentence}\n{text}", flush=True)
            findings += len(wrong)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

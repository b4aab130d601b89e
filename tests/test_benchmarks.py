"""What the benchmarks measure, and how they judge it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.environments import write_environments
from benchmarks.measure import Program, ratio, seconds
from constructs_lib.environment import TIERS, load_all
from gitops_render.tree import render


def test_no_two_environments_are_alike_and_all_tiers_are_there(tmp_path: Path) -> None:
    environments = load_all(write_environments(tmp_path, 12) / "environments")
    assert {env.tier for env in environments} == set(TIERS)
    for what in ("name", "domain", "vpc_range", "cluster", "vault", "state", "backups", "platform"):
        assert len({repr(getattr(env, what)) for env in environments}) == len(environments), what


def test_environments_that_grew_render_otherwise(tmp_path: Path) -> None:
    small, grown = (
        load_all(write_environments(tmp_path / str(growth), 3, growth=growth) / "environments") for growth in (0, 1)
    )
    for one, other in zip(small, grown, strict=True):
        assert render(one).owned.keys() == render(other).owned.keys()
        assert render(one).owned != render(other).owned


def test_a_ratio_is_that_of_runs_side_by_side() -> None:
    assert ratio([1, 10, 3], [10, 100, 10]) == pytest.approx(0.1)


def test_a_program_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    assert seconds(Program(("-c", "raise SystemExit(1)"), tmp_path, exits=(1,))) > 0
    with pytest.raises(SystemExit, match="exit code 3"):
        seconds(Program(("-c", "raise SystemExit(3)"), tmp_path))


@pytest.mark.parametrize(("measured", "code"), [(0.2, 0), (0.21, 1)])
def test_a_missed_bound_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], measured: float, code: int
) -> None:
    def rows(_: Path) -> list[run.Row]:
        return [run.Row("one", measured, "s", 0.2), run.Row("two", 1, "s", 2)]

    monkeypatch.setattr(run, "rows", rows)
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == code
    assert ("no" in capsys.readouterr().out.split()) is bool(code)

"""A run that is cut, by a kill before, in or after each call that changes a file, is finished or undone by the next."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.journal import INTENT, STAGED, recover
from gitops_render.tree import Rendered
from gitops_render.write import cut_before, write_all
from tests.gitops_render.test_write import contents

A, B, C, SEED = map(PurePosixPath, ("platform/a.yaml", "platform/deep/b.yaml", "new/c.yaml", "apps/seed.yaml"))
OLD = {
    "sandbox": Rendered({A: b"a: 1\n", B: b"b: 1\n"}, {}),
    "staging": Rendered({PurePosixPath("s.yaml"): b"s: 1\n"}, {}),
}
NEW = {
    "sandbox": Rendered({A: b"a: 2\n", C: b"c: 2\n"}, {SEED: b"seed\n"}),
    "staging": Rendered({PurePosixPath("s.yaml"): b"s: 2\n"}, {}),
}
CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
Cut = Callable[[str, tuple[Any, ...]], None]


def before(_event: str, _arguments: tuple[Any, ...]) -> None:
    """Leave everything as it was."""


def opened(event: str, arguments: tuple[Any, ...]) -> None:
    """Let the file be there, empty."""
    if event == "open":
        Path(arguments[0]).touch()


def half(event: str, arguments: tuple[Any, ...]) -> None:
    """Let the file hold the beginning of something."""
    if event == "open":
        with os.fdopen(os.open(arguments[0], os.O_WRONLY | os.O_CREAT), "w") as file:
            file.write("{")


def killed(number: int, cut: Cut, change: Callable[[], object]) -> bool:
    """Run `change` in a process that is killed at the call of this number that changes something; say if it was."""
    child = os.fork()
    if child == 0:
        calls = iter(range(number + 1))
        at_work = False

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal at_work
            writes = event == "open" and isinstance(arguments[0], str | Path) and (arguments[2] or 0) & os.O_WRONLY
            if at_work or not (writes or event in CHANGING):
                return
            if next(calls) == number:
                at_work = True
                cut(event, arguments)
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            change()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("cut", [before, opened, half])
@pytest.mark.parametrize("after", ["the same input", "the old input", "nothing"])
def test_however_a_run_is_cut_the_next_makes_it_whole(tmp_path: Path, cut: Cut, after: str) -> None:
    number, seen = 0, set[str]()
    while True:
        output = tmp_path / f"out-{number}"
        write_all(output, OLD)
        old = contents(output)
        if not killed(number, cut, lambda output=output: write_all(output, NEW)):
            break
        whole = tmp_path / f"whole-{number}"
        write_all(whole, NEW)
        seen.add("cut" if cut_before(output) else "clean")
        if after == "nothing":
            recover(output)
            assert contents(output) in (old, contents(whole)), number
        elif after == "the same input":
            write_all(output, NEW)
            assert contents(output) == contents(whole), number
        else:
            write_all(output, OLD)
            assert {path: data for path, data in contents(output).items() if path != str(SEED)} == old, number
        assert cut_before(output) == []
        assert not [path for path in output.rglob("*") if path.is_dir() and not any(path.iterdir())], "an empty folder"
        number += 1
    assert number > 15
    assert seen == {"cut", "clean"}


def test_a_cut_first_run_leaves_nothing_behind(tmp_path: Path) -> None:
    number = 0
    for number in range(100):
        output = tmp_path / str(number)
        if not killed(number, half, lambda output=output: write_all(output, NEW)):
            break
        write_all(output, NEW)
        assert contents(output).keys() >= {str(A), str(C), str(SEED), "s.yaml"}
        assert not [name for name in contents(output) if name.startswith(str(STAGED))]
    assert number > 10


def interrupted(output: Path) -> None:
    """Cut a run in the middle of its renaming."""
    write_all(output, OLD)
    number = 0
    while killed(number, before, lambda: write_all(output, NEW)) and not (output / STAGED / INTENT).exists():
        recover(output)
        number += 1
    assert (output / STAGED / INTENT).exists()


def test_what_somebody_changed_after_a_cut_is_kept_and_told(tmp_path: Path) -> None:
    interrupted(tmp_path)
    (tmp_path / A).write_text("by hand\n")
    with pytest.raises(ConfigError, match=r"a\.yaml: was edited by hand"):
        write_all(tmp_path, NEW)
    assert (tmp_path / A).read_text() == "by hand\n"
    assert not (tmp_path / STAGED).exists()


def test_an_intent_that_no_run_wrote_is_told(tmp_path: Path) -> None:
    interrupted(tmp_path)
    (tmp_path / STAGED / INTENT).write_text("{}")
    with pytest.raises(ConfigError, match=r"intent\.json: is not what a run wrote; remove .*staged and render"):
        write_all(tmp_path, NEW)


def test_one_environment_that_was_edited_keeps_all_from_being_written(tmp_path: Path) -> None:
    write_all(tmp_path, OLD)
    (tmp_path / "s.yaml").write_text("by hand\n")
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match=r"s\.yaml: was edited by hand"):
        write_all(tmp_path, NEW)
    assert contents(tmp_path) == before

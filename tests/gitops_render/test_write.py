"""Writing a tree: what is owned is brought up to date, what belongs to others is never touched."""

from __future__ import annotations

import errno
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from gitops_render.tree import Rendered
from gitops_render.write import difference, write
from tests.support import ROOT

A, B, SEED = PurePosixPath("platform/a.yaml"), PurePosixPath("platform/deep/b.yaml"), PurePosixPath("apps/x.yaml")
FIRST = Rendered({A: b"a: 1\n", B: b"b: 1\n"}, {SEED: b"seed\n"})


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder in which `FIRST` was written."""
    write(tmp_path / "out", "sandbox", FIRST)
    return tmp_path / "out"


def test_writing_again_writes_nothing(output: Path) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (output, *output.rglob("*"))}

    before = times()
    assert write(output, "sandbox", FIRST) == ((), ())
    assert times() == before


def test_stale_files_and_their_empty_folders_go(output: Path) -> None:
    assert write(output, "sandbox", Rendered({A: b"a: 2\n"}, {})) == ((A,), (B,))
    assert (output / A).read_bytes() == b"a: 2\n"
    assert not (output / B.parent).exists()


def test_seeds_are_written_once_and_then_left_alone(output: Path) -> None:
    (output / SEED).write_text("mine\n")
    write(output, "sandbox", FIRST)
    assert (output / SEED).read_text() == "mine\n"
    write(output, "sandbox", Rendered({}, {}))
    assert (output / SEED).read_text() == "mine\n"


def test_other_files_and_other_environments_stay(output: Path) -> None:
    (output / "platform/mine.yaml").write_text("mine\n")
    write(output, "staging", Rendered({PurePosixPath("platform/c.yaml"): b"c\n"}, {}))
    write(output, "sandbox", Rendered({}, {}))
    assert contents(output).keys() == {
        "platform/mine.yaml", "platform/c.yaml", "apps/x.yaml", ".render/sandbox.json", ".render/staging.json"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "sentence"),
    [(A, "was edited by hand"), (PurePosixPath("platform/new.yaml"), "was not written by this tool")],
)
def test_a_file_of_somebody_else_is_refused(output: Path, path: PurePosixPath, sentence: str) -> None:
    (output / path).write_text("by hand\n")
    before = contents(output)
    wanted = Rendered({**FIRST.owned, A: b"a: 2\n", PurePosixPath("platform/new.yaml"): b"new\n"}, {})
    with pytest.raises(ConfigError, match=sentence):
        write(output, "sandbox", wanted)
    assert contents(output) == before
    write(output, "sandbox", wanted, overwrite=True)
    assert (output / path).read_bytes() == wanted.owned[path]


def test_a_stale_file_that_was_edited_is_not_removed(output: Path) -> None:
    (output / B).write_text("by hand\n")
    with pytest.raises(ConfigError, match=r"deep/b\.yaml: was edited by hand"):
        write(output, "sandbox", Rendered({A: b"a: 1\n"}, {}))
    assert (output / B).exists()


def test_a_file_that_somebody_removed_comes_back(output: Path) -> None:
    (output / A).unlink()
    assert write(output, "sandbox", FIRST).changed == (A,)


def test_a_full_disk_leaves_the_old_tree_whole(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(output)
    real, calls = Path.write_bytes, iter([True, False])

    def write_bytes(path: Path, data: Any) -> int:
        if next(calls):
            return real(path, data)
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        write(output, "sandbox", Rendered({A: b"a: 2\n", B: b"b: 2\n"}, {}))
    assert contents(output) == before


def test_a_run_that_was_cut_short_while_renaming_can_be_repeated(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Rendered({A: b"a: 2\n", B: b"b: 2\n"}, {})
    real, calls = Path.replace, iter([True, False])

    def replace(path: Path, target: Any) -> Path:
        if next(calls):
            return real(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write(output, "sandbox", wanted)
    monkeypatch.undo()
    write(output, "sandbox", wanted)
    assert {path: data for path, data in contents(output).items() if path.startswith("platform")} == {
        "platform/a.yaml": b"a: 2\n",
        "platform/deep/b.yaml": b"b: 2\n",
    }


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match=r"out.*cannot be written: Not a directory"):
        write(tmp_path / "out", "sandbox", FIRST)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ("not json", "is not a render index"),
        ('{"../../etc/passwd": "x"}', "names a file outside"),
        ('{"/etc/passwd": "x"}', "names a file outside"),
        ("[1]", "is not a"),
    ],
)
def test_a_broken_index_is_refused(output: Path, index: str, sentence: str) -> None:
    (output / ".render/sandbox.json").write_text(index)
    with pytest.raises(ConfigError, match=sentence):
        write(output, "sandbox", FIRST)


def test_a_file_that_the_index_names_in_another_way_is_not_removed(output: Path) -> None:
    index = output / ".render/sandbox.json"
    index.write_text(index.read_text().replace('"platform/', '"./platform/'))
    with pytest.raises(ConfigError, match="not written by this tool"):
        write(output, "sandbox", Rendered({A: b"a: 2\n"}, {}))
    assert write(output, "sandbox", FIRST).removed == ()


def test_what_rendering_would_change_is_told_by_file_in_the_order_of_their_paths(output: Path) -> None:
    (output / A).write_bytes(b"a: \xff\n")
    new = PurePosixPath("apps/new.yaml")
    lines = difference(output, "sandbox", Rendered({A: b"a: 1\n", new: b"n: 1\n"}, {SEED: b"other\n"}))
    assert [line for line in lines if not line.startswith(("@@", " "))][-10:] == [
        *("--- /dev/null", "+++ b/apps/new.yaml", "+n: 1"),
        *("--- a/platform/a.yaml", "+++ b/platform/a.yaml", "-a: \ufffd", "+a: 1"),
        *("--- a/platform/deep/b.yaml", "+++ /dev/null", "-b: 1"),
    ]
    assert (output / A).read_bytes() == b"a: \xff\n"


def test_nothing_differs_after_writing(output: Path) -> None:
    assert difference(output, "sandbox", FIRST) == []


def test_a_link_on_the_way_is_refused_and_one_to_the_folder_itself_is_followed(output: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(output)
    assert write(tmp_path / "link", "sandbox", Rendered({A: b"a: 2\n"}, {})).changed == (A,)
    (tmp_path / "elsewhere").mkdir()
    (output / "new").symlink_to(tmp_path / "elsewhere")
    wanted = Rendered({A: b"a: 2\n", PurePosixPath("new/c.yaml"): b"c: 1\n"}, {})
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match=r"out/new: is a link; put a folder or file in its place, or remove it"):
            write(output, "sandbox", wanted, overwrite=overwrite)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("place", [".", "..", "environments", "environments/x", ".git/x", ROOT, ROOT.parent])
def test_a_folder_that_is_no_place_for_a_tree_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | Path
) -> None:
    (tmp_path / "here/environments").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ConfigError, match="choose a folder of its own"):
        write(Path(place), "sandbox", FIRST)
    assert list(tmp_path.rglob("*")) == [tmp_path / "here", tmp_path / "here/environments"]
    assert write(Path("out"), "sandbox", FIRST).changed

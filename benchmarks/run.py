"""Time and memory of the programs as a table; exits with 1 if a bound is missed: `make bench`.

Bounds are for a machine with two cores and nothing else to do. What one more environment costs is measured with many
that differ, as the difference to a few of them, so the start of a program does not count.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.environments import ROOT, write_environments
from benchmarks.measure import Program, in_turn, least, mebibytes, ratio, seconds

ROUNDS = 5
FEW = 3
SOME = 100
MANY = 300

PLAIN = (
    "import constructs_lib, runpy, sys;"
    "import cdktf_cdktf_provider_digitalocean, cdktf_cdktf_provider_github;"
    "import cdktf_cdktf_provider_helm, cdktf_cdktf_provider_kubernetes;"
    "sys.argv = ['main.py'];"
    f"runpy.run_path({str(ROOT / 'main.py')!r}, run_name='__main__')"
)
SYNTH = (str(ROOT / "main.py"),)
RENDER = ("-m", "gitops_render", "render", "--tree", "gitops.out")
CHECK = ("-m", "gitops_render", "check")


class Row(NamedTuple):
    """What was measured, and the most it may be."""

    what: str
    measured: float
    unit: str
    bound: float

    @property
    def is_met(self) -> bool:
        """Whether the bound is kept."""
        return self.measured <= self.bound


class Folders(NamedTuple):
    """Folders to run in: with the project's own environments, and with few, some and many that differ."""

    own: Path
    few: Path
    some: Path
    changed: Path
    many: Path


def folders(below: Path) -> Folders:
    """Write the environments; those in `changed` are those in `some` with other sizes."""
    shutil.copytree(ROOT / "environments", below / "own/environments")
    return Folders(
        below / "own",
        write_environments(below / "few", FEW),
        write_environments(below / "some", SOME),
        write_environments(below / "changed", SOME, growth=1),
        write_environments(below / "many", MANY),
    )


def help_rows(here: Folders) -> Iterator[Row]:
    """How long a user waits for help."""
    for name, arguments in {
        "main.py": SYNTH,
        "gitops_render": ("-m", "gitops_render"),
        "operations": ("-m", "operations"),
    }.items():
        yield Row(f"{name} --help", least(Program((*arguments, "--help"), here.own), ROUNDS), "s", 0.25)


def start_rows(here: Folders) -> Iterator[Row]:
    """The project's own environments, against a synthesis that loads all of the bindings."""
    plain, synth, render = Program(("-c", PLAIN), here.own), Program(SYNTH, here.own), Program(RENDER, here.own)
    seconds(synth)  # jsii unpacks its packages once
    references, synths, renders = in_turn(plain, synth, render, rounds=ROUNDS)
    yield Row("synthesis against plain imports", ratio(synths, references), "times", 0.20)
    yield Row("rendering", min(renders), "s", 0.40)
    yield Row("rendering against synthesis with plain imports", ratio(renders, references), "times", 0.055)


def synthesis_rows(here: Folders) -> Iterator[Row]:
    """What one more environment costs a synthesis."""
    few, many = Program(SYNTH, here.few), Program(SYNTH, here.many)
    yield Row("one more environment, synthesised", _each(few, many, MANY), "ms", 30)
    yield Row("its memory", (mebibytes(many) - mebibytes(few)) / (MANY - FEW), "MiB", 1)


def rendering_rows(here: Folders) -> Iterator[Row]:
    """What one more environment costs a rendering whose files are there already."""
    few, many = Program(RENDER, here.few), Program(RENDER, here.many)
    seconds(many)
    yield Row("one more environment, rendered", _each(few, many, MANY), "ms", 25)
    yield Row("its memory", (mebibytes(many) - mebibytes(few)) / (MANY - FEW), "MiB", 1)


def comparison_rows(here: Folders) -> Iterator[Row]:
    """What one more environment costs `diff`, with a change in it, and `check`."""
    for folder in (here.some, here.changed):
        seconds(Program(RENDER, folder))
    seconds(Program(SYNTH, here.some))
    few = Program(("-m", "gitops_render", "diff", "gitops.out", "gitops.out"), here.few)
    some = Program(("-m", "gitops_render", "diff", "gitops.out", str(here.changed / "gitops.out")), here.some, (1,))
    yield Row("one more environment, compared", _each(few, some, SOME), "ms", 30)
    few, some = Program(CHECK, here.few), Program(CHECK, here.some)
    yield Row("one more environment, checked", _each(few, some, SOME), "ms", 30)


def _each(few: Program, more: Program, number: int) -> float:
    """Return the milliseconds of each environment beyond the few; the fastest of two runs in turn counts for each."""
    short, long = in_turn(few, more, rounds=2)
    return (min(long) - min(short)) / (number - FEW) * 1000


def rows(below: Path) -> Iterator[Row]:
    """Measure everything; programs that write come before those that read what they wrote."""
    here = folders(below)
    for part in (help_rows, start_rows, synthesis_rows, rendering_rows, comparison_rows):
        yield from part(here)


def main() -> None:
    """Measure and print the table; exit with 1 if a bound is missed."""
    with tempfile.TemporaryDirectory() as temporary:
        measured = list(rows(Path(temporary)))
    table = Table("what", "measured", "bound", "met")
    for row in measured:
        figures = (f"{row.measured:.3g} {row.unit}", f"{row.bound:g} {row.unit}")
        table.add_row(row.what, *figures, "yes" if row.is_met else "no")
    Console().print(table)
    sys.exit(not all(row.is_met for row in measured))


if __name__ == "__main__":
    main()

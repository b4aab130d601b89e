"""Time and memory of synthesis and rendering, as a table: `make bench`.

Every program runs as a new process, and what is compared is run side by side, so that a busy machine slows both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
ROUNDS = 5
MANY = 100

PLAIN = """
import cdktf_cdktf_provider_digitalocean, cdktf_cdktf_provider_github
import cdktf_cdktf_provider_helm, cdktf_cdktf_provider_kubernetes
"""
SYNTH = f"import runpy; runpy.run_path({str(ROOT / 'main.py')!r}, run_name='__main__')"
PLAIN_SYNTH = f"import constructs_lib{PLAIN}{SYNTH}"
RENDER = "from gitops_render.commands import app; app(['render', '--output', 'out'], standalone_mode=False)"


class Run(NamedTuple):
    """How long a process took, in seconds, and the most memory it held, in MiB."""

    seconds: float
    mebibytes: float


def run(code: str, folder: Path) -> Run:
    """Run Python code in `folder` as a new process; its children, such as Node, do not count as memory."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    measured = (
        f"{code}\nimport resource, sys; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    started = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", measured], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return Run(time.perf_counter() - started, int(result.stderr.split()[-1]) / 1024)


def medians(*programs: tuple[str, Path]) -> list[Run]:
    """Return the median of several runs of each program (code and folder), run in turn."""
    rounds = [[run(code, folder) for code, folder in programs] for _ in range(ROUNDS)]
    return [sorted(runs)[ROUNDS // 2] for runs in zip(*rounds, strict=True)]


def many_environments(folder: Path, number: int) -> Path:
    """Write `number` environments that share nothing but the GitOps repository, and return the folder to run in."""
    base = yaml.safe_load((ROOT / "environments/sandbox.yaml").read_text())
    (folder / "environments").mkdir(parents=True)
    for position in range(number):
        name = f"env{position:03}"
        own = base | {
            "name": name,
            "vpc_range": f"10.{position // 16}.{position % 16 * 16}.0/20",
            "cluster": base["cluster"] | {"name": name},
            "state": base["state"] | {"bucket": f"{name}-state"},
            "backups": base["backups"] | {"bucket": f"{name}-backups"},
        }
        (folder / f"environments/{name}.yaml").write_text(yaml.safe_dump(own))
    return folder


def main() -> None:
    """Measure and print the table; exit with 1 if a bound is missed."""
    table = Table("what", "measured", "bound", "met")
    missed = False

    def row(what: str, measured: float, unit: str, bound: float) -> None:
        nonlocal missed
        missed |= measured > bound
        table.add_row(what, f"{measured:.2f} {unit}", f"{bound:g} {unit}", "yes" if measured <= bound else "no")

    with tempfile.TemporaryDirectory() as temporary:
        own, few, many = Path(temporary, "own"), Path(temporary, "few"), Path(temporary, "many")
        shutil.copytree(ROOT / "environments", own / "environments")
        many_environments(few, 3)
        many_environments(many, MANY)
        run(SYNTH, own)  # warms the package cache
        lazy, plain = medians((SYNTH, own), (PLAIN_SYNTH, own))
        table.add_row("synthesis of all environments", f"{lazy.seconds:.2f} s", "", "")
        table.add_row("the same with plain imports", f"{plain.seconds:.2f} s", "", "")
        row("lazy against plain imports", lazy.seconds / plain.seconds, "times", 0.45)
        row("one more environment, synthesised", _extra_milliseconds(SYNTH, few, many), "ms", 40)
        row(f"memory of {MANY} environments", run(SYNTH, many).mebibytes, "MiB", 300)
        (rendered,) = medians((RENDER, own))
        row("rendering of all environments", rendered.seconds, "s", 0.6)
        row("rendering against synthesis with plain imports", rendered.seconds / plain.seconds, "times", 0.1)
        row("one more environment, rendered", _extra_milliseconds(RENDER, few, many), "ms", 60)
    Console().print(table)
    sys.exit(missed)


def _extra_milliseconds(code: str, few: Path, many: Path) -> float:
    less, more = medians((code, few), (code, many))
    return (more.seconds - less.seconds) / (MANY - 3) * 1000


if __name__ == "__main__":
    main()

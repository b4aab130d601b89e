"""A component that was just written loads, passes the linters, and its tests say what a person has to look up."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from gitops_render import journal
from gitops_render.new_component import REGISTRY, RUNBOOKS, new_component
from tests.gitops_render.test_cli import cli
from tests.support import ROOT

NAME = "sample_meter"
TESTS = f"tests/constructs_lib/platform/{NAME}"
OWN = ("sandbox", "staging", "production")
COPIED = ("constructs_lib", "gitops_render", "tests", "docs", "environments", "stacks", "operations")
WRITTEN = {
    *(f"constructs_lib/platform/{path}" for path in ("__init__.py", f"{NAME}/__init__.py", f"{NAME}/health.py")),
    *(f"{TESTS}/{file}" for file in ("__init__.py", f"test_{NAME}.py", "cases.py", "metrics.yaml")),
    *(f"docs/runbooks/{page}.md" for page in ("README", "sample-meter")),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "main.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="module")
def copy(before: Path) -> Path:
    """The same with a new component."""
    code, printed, said = run(before, "new", "component", NAME)
    assert (code, said) == (0, "")
    *written, summary = printed.splitlines()
    assert {line.removesuffix(": written") for line in written} == WRITTEN
    assert summary.startswith("Next: make schema picture graph format test; docs/how-to/add-a-component.md")
    return before


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    return cli(folder, *arguments, PYTHONPATH=str(folder))


def program(folder: Path, *command: str) -> tuple[int, str]:
    """Run something in the copy, and return the exit code and what it prints."""
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_it_loads_and_renders(copy: Path) -> None:
    assert run(copy, "validate")[:2] == (0, "3 environments, no problem\n")
    assert run(copy, "render", "--tree", "out")[0] == 0
    file = copy / "out/platform/sample-meter/sandbox/controllers/helmrelease-sample-meter.yaml"
    assert yaml.safe_load(file.read_text())["spec"]["values"]["replicaCount"] == 1
    assert "sample_meter: Annotated[SampleMeter, " in (copy / "constructs_lib/platform/__init__.py").read_text()


def test_it_passes_the_linters(copy: Path) -> None:
    for command in (("ruff", "check"), ("ruff", "format", "--check"), ("basedpyright", "--level", "error")):
        files = [str(copy / file) for file in sorted(WRITTEN) if file.endswith(".py")]
        code, printed = program(copy, str(Path(sys.executable).with_name(command[0])), *command[1:], *files)
        assert code == 0, printed


def test_only_what_a_person_looks_up_is_missing_and_that_is_said(copy: Path) -> None:
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "--tb=line")
    of_all = [str(path.relative_to(copy)) for path in sorted((copy / TESTS).parent.glob("test_*.py"))]
    code, printed = program(copy, sys.executable, "-m", "pytest", *options, *of_all, TESTS)
    failed = set(re.findall(r"^FAILED \S+::(\w+(?:\[\w+\])?)", printed, re.MULTILINE))
    assert code == 1
    assert failed == {
        f"test_the_folder_holds_metrics_charts_and_cases[{NAME}]",
        f"test_every_value_was_looked_up_at_this_version[{NAME}]",
        f"test_the_facts_are_those_of_the_pinned_charts[{NAME}]",
        "test_what_breaks_a_rule_is_known_with_its_reason[link_without_pod]",
        "test_what_breaks_a_rule_is_known_with_its_reason[open_to_prometheus_for_nothing]",
        *(f"test_every_pod_of_the_facts_is_said_and_no_other[{env}]" for env in (*OWN, "everything")),
    }, printed
    for sentence in ("lists no metric", "has no chart 'sample-meter'; look up the values", "run `make chart-facts "):
        assert sentence in printed


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Meter", "NAME: must be lower-case words joined by '_', at most 20 characters, found 'Meter'"),
        ("a_name_that_is_very_long", "at most 20 characters, found 'a_name_that_is_very_long'"),
        ("../x", "found '../x'"),
        ("traefik", "NAME: 'traefik' is a component already; take another name"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    code, printed, said = cli(tmp_path, "new", "component", name)
    assert (code, printed) == (2, "")
    assert sentence in said
    assert list(tmp_path.iterdir()) == []


def test_elsewhere_nothing_is_written(tmp_path: Path) -> None:
    code, printed, said = cli(tmp_path, "new", "component", NAME)
    assert (code, printed) == (2, "")
    assert said.startswith(
        "constructs_lib/platform/__init__.py: cannot be read: No such file or directory; run this in "
    )
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "docs/runbooks/sample-meter.md"
    page.parent.mkdir(parents=True)
    page.write_text("mine\n")
    code, _, said = cli(tmp_path, "new", "component", NAME)
    assert (code, said) == (2, "docs/runbooks/sample-meter.md: is there already; remove it, or take another name\n")
    assert page.read_text() == "mine\n"


def test_all_files_are_there_however_a_run_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (REGISTRY, RUNBOOKS):
        (tmp_path / file).parent.mkdir(parents=True)
        shutil.copy(ROOT / file, tmp_path / file)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as cut:
        cut.setattr(journal, "_carry_out", refuse)
        with pytest.raises(PermissionError):
            new_component(NAME)
    assert {path.name for path in tmp_path.iterdir()} == {"constructs_lib", "docs", ".render"}
    with pytest.raises(ConfigError, match="is there already"):
        new_component(NAME)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == WRITTEN


def refuse(*_: object, **__: object) -> None:
    raise PermissionError

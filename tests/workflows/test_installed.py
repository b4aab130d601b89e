"""What a job installs: by hash, and where it has credentials nothing that only tests need."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.workflows.test_static import ACTION, jobs

MAKE = re.compile(r"make ([a-z0-9-]+)")
REQUIREMENTS = ROOT / ".github/requirements-pipenv.txt"
ROOMS = ("constructs_lib", "stacks", "gitops_render", "operations")


def recipe(target: str, folder: Path) -> str:
    """Return what `make` would run for a target where nothing is installed yet."""
    command = ["make", "--dry-run", target, f"VENV={folder / 'venv'}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def with_credentials() -> Iterator[tuple[str, str]]:
    """Yield each job that may get a secret or write, and a `make` target that it runs."""
    for file, name, job in jobs():
        if "write" in job["permissions"].values() and "uses" not in job:
            yield from ((f"{file} {name}", target) for target in {"setup", *targets(job["steps"])})


def targets(steps: list[dict[str, str]]) -> set[str]:
    return {target for step in steps for target in MAKE.findall(step.get("run", ""))}


def test_jobs_with_credentials_install_nothing_that_only_tests_need(tmp_path: Path) -> None:
    assert MAKE.findall(ACTION.read_text()) == ["setup"]
    found = {(job, target) for job, target in with_credentials() if "--dev" in recipe(target, tmp_path)}
    assert len(set(with_credentials())) > 8
    assert found == {("integration.yml integration", "integration")}, "this one is a test"
    assert "--dev" in recipe("test", tmp_path)


def test_everything_is_installed_by_hash(tmp_path: Path) -> None:
    installs = [
        line for line in recipe("setup-tests", tmp_path).splitlines() if re.search(r"pip(env)? (install|sync)", line)
    ]
    assert len(installs) == 3
    assert all("--require-hashes" in line for line in installs if "pip install" in line)
    for entry in re.split(r"\n(?=\w)", REQUIREMENTS.read_text().strip()):
        assert re.fullmatch(r"[\w.-]+==\S+(; [^\\]+)? ?(\\\n {4}--hash=sha256:[0-9a-f]{64} ?)+", entry), entry
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    bare = [name for part in ("default", "develop") for name, entry in lock[part].items() if not entry.get("hashes")]
    assert bare == []


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    wheel = tmp_path / "example-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was pinned")
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"example==1.0 --hash=sha256:{'0' * 64}\n")
    install = re.search(r"/pip (install .*) --requirement", recipe("setup", tmp_path))
    assert install
    offline = ("--no-index", "--find-links", str(tmp_path), "--target", str(tmp_path / "out"))
    command = [sys.executable, "-m", "pip", *install[1].split(), *offline, "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr


def imported(room: str) -> Iterator[tuple[str, str]]:
    """Yield each file of a room and the top of every module that it imports."""
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.append(node.module)
            yield from ((path.name, name.partition(".")[0]) for name in names)


@pytest.mark.parametrize("room", ROOMS)
def test_the_programs_import_only_packages_of_their_own(room: str) -> None:
    own = json.loads((ROOT / "Pipfile.lock").read_text())["default"].keys()
    distributions = packages_distributions()
    used = {
        (file, package.lower().replace("_", "-"))
        for file, top in imported(room)
        for package in distributions.get(top, ())
    }
    assert used
    assert {(file, package) for file, package in used if package not in own} == set()

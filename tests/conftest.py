"""Fixtures that several folders of tests share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ROOT, Synthesised, environment_data, run_python


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Synthesised]:
    """The JSON of every stack of the project's own environments, by the stack's name."""
    folder = tmp_path_factory.mktemp("synthesised")
    shutil.copytree(ROOT / "environments", folder / "environments")
    result = run_python(str(ROOT / "main.py"), folder=folder)
    assert result.returncode == 0, result.stderr
    files = folder.glob("cdktf.out/stacks/*/cdk.tf.json")
    return {path.parent.name: Synthesised(json.loads(path.read_text())) for path in files}


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes environment files and returns the folder to run commands in.

    It takes the data of each environment by its file's name, or its text; by default there is the sandbox.
    """

    def write(**environments: dict[str, Any] | str) -> Path:
        folder = tmp_path / "environments"
        folder.mkdir(exist_ok=True)
        for name, data in (environments or {"sandbox": environment_data()}).items():
            text = data if isinstance(data, str) else yaml.safe_dump(data)
            (folder / f"{name}.yaml").write_text(text)
        return tmp_path

    return write

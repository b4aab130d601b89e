"""Real OpenTofu, working on the JSON of a stack in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support import ROOT

BUILT = ROOT / "tools/bin/tofu"
BINARY = BUILT if BUILT.exists() else Path(shutil.which("tofu") or BUILT)
PASSPHRASE = "a passphrase that only the tests use"

LOCAL_STATE: dict[str, Any] = {"terraform": {"backend": {"local": {}}}}
"""What a first run puts beside the JSON, so that a stack can make the bucket that its state moves to."""


class Tofu:
    """A folder with a stack, in which `tofu` runs with nothing of the caller's environment but `PATH` and `HOME`."""

    def __init__(self, folder: Path, stack: Mapping[str, Any], variables: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.write("cdk.tf.json", stack)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_VAR_state_passphrase": PASSPHRASE,
            **variables,
        }

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a configuration file; one that ends in `_override.tf.json` changes the stack's own."""
        (self.folder / name).write_text(json.dumps(data, indent=1))

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """Run `tofu` and return all that it printed; fail unless it exits with `code` (None: any)."""
        result = subprocess.run(
            [BINARY, *arguments, "-no-color"],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = result.stdout + result.stderr
        assert code is None or result.returncode == code, f"tofu {' '.join(arguments)}: {result.returncode}\n{printed}"
        return printed

    def init(self, *arguments: str) -> str:
        """Initialise with the state in this folder."""
        self.write("state_override.tf.json", LOCAL_STATE)
        return self.run("init", *arguments)

    def apply(self) -> str:
        """Apply without asking."""
        return self.run("apply", "-auto-approve")

    def destroy(self) -> str:
        """Destroy without asking."""
        return self.run("apply", "-destroy", "-auto-approve")

    def kill_once(self, seen: Callable[[], bool], *options: str) -> None:
        """Apply, and kill OpenTofu and its provider without a word as soon as something is seen."""
        arguments = [str(BINARY), "apply", "-auto-approve", "-no-color", *options]
        run = subprocess.Popen(
            arguments, cwd=self.folder, env=self.environ, stdout=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(6000):
            if seen():
                break
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        assert seen()

    def plan(self, *, changes: bool) -> str:
        """Plan, and fail unless there are changes as expected."""
        return self.run("plan", "-detailed-exitcode", code=2 if changes else 0)

    def bytes(self) -> bytes:
        """Return the contents of every file that OpenTofu wrote here, one after the other."""
        own = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return b"".join(path.read_bytes() for path in own if not path.name.endswith(".tf.json"))

"""Our lock and real OpenTofu's: each sees the other's, and a dead one of ours is ended by OpenTofu's own command."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment.repository import StateBucket
from operations.clients.spaces import Spaces
from operations.clients.state_lock import BusyError, StateLock
from operations.clients.tofu import Stack
from tests.e2e.conftest import require
from tests.e2e.tofu import BINARY, PASSPHRASE
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY, FakeSpaces
from tests.support import synthesised

NAME = "example"
STATE = StateBucket(bucket="example-state", region="ams3")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of one resource, with its state in a bucket."""
    require("tofu")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{BINARY.parent}{os.pathsep}{os.environ['PATH']}")
    resources = {"terraform_data": {"kept": {"input": "x"}}}
    definition = {**synthesised(lambda stack: keep_state(stack, NAME, STATE)).data, "resource": resources}
    folder = tmp_path / "cdktf.out/stacks" / NAME
    folder.mkdir(parents=True)
    (folder / "cdk.tf.json").write_text(json.dumps(definition))
    with FakeSpaces() as spaces:
        for name, value in spaces.environment().items():
            monkeypatch.setenv(name, value)
        Spaces(ACCESS_KEY, SECRET_KEY).create(STATE)
        made = Stack(NAME, STATE, {**spaces.environment(), "TF_VAR_state_passphrase": PASSPHRASE})
        made.init()
        yield made


def lock() -> StateLock:
    return StateLock(Spaces(ACCESS_KEY, SECRET_KEY), STATE, NAME)


def test_opentofu_waits_for_ours_and_ours_changes_nothing(stack: Stack) -> None:
    file = Path("planned").absolute()
    with lock().held("tidying"):
        assert stack.resources() == []
        with pytest.raises(ConfigError, match=r"its state is locked by operations@\S+ since .* \(tidying\); wait"):
            stack.plan(file)
    before = lock().version()
    stack.plan(file)
    stack.apply(file)
    assert lock().version() != before
    assert [item["address"] for item in stack.resources()] == ["terraform_data.kept"]


def test_a_dead_one_of_ours_is_ended_as_the_sentence_says(stack: Stack) -> None:
    held = lock().held("tidying")
    held.__enter__()
    with pytest.raises(BusyError) as told:
        lock().version()
    found = re.search(r"`tofu (-chdir=\S+) force-unlock (\S+)`", str(told.value))
    assert found
    environ = {**os.environ, "TF_VAR_state_passphrase": PASSPHRASE}
    command = [BINARY, found[1], "force-unlock", "-force", found[2]]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert stack.plan(Path("planned"))
    assert lock().version() is None


def test_ours_is_refused_while_opentofu_holds_its_own(stack: Stack) -> None:
    waiting = Path("waiting").absolute()
    definition = json.loads((stack.folder / "cdk.tf.json").read_text())
    script = f"touch {waiting}; while [ -e {waiting} ]; do sleep 0.1; done"
    kept = definition["resource"]["terraform_data"]["kept"]
    kept["provisioner"] = [{"local-exec": {"command": script}}]
    (stack.folder / "cdk.tf.json").write_text(json.dumps(definition))
    environ = {**os.environ, "TF_VAR_state_passphrase": PASSPHRASE}
    with subprocess.Popen(
        [BINARY, "apply", "-auto-approve"], cwd=stack.folder, env=environ, stdout=subprocess.DEVNULL
    ) as applying:
        while not waiting.exists():
            assert applying.poll() is None, "it ended before it made anything"
        with pytest.raises(BusyError, match=r"its state is locked by .* \(apply\)"), lock().held("tidying"):
            pytest.fail("both hold it")
        waiting.unlink()
    assert applying.returncode == 0
    with lock().held("tidying"):
        assert [item["address"] for item in stack.resources()] == ["terraform_data.kept"]

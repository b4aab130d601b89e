"""The project's own encryption block, with real OpenTofu and a real secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment.repository import StateBucket
from tests.e2e.conftest import OpenStack
from tests.e2e.tofu import PASSPHRASE, Tofu
from tests.support import synthesised

SECRET = "hunter2-hunter2-hunter2"


def fill(stack: Any) -> None:
    keep_state(stack, "example", StateBucket(bucket="example-state", region="ams3"))
    stack.add_override("variable.secret", {"type": "string", "sensitive": True})
    stack.add_override("resource.terraform_data.kept", {"input": "${var.secret}"})


@pytest.fixture
def applied(open_stack: OpenStack) -> Tofu:
    """A stack whose state and plan file hold a secret."""
    tofu = open_stack(synthesised(fill).data, TF_VAR_secret=SECRET)
    tofu.init()
    tofu.run("plan", "-out=planned")
    tofu.run("apply", "planned")
    return tofu


def test_state_and_plan_hold_no_clear_text(applied: Tofu) -> None:
    assert (applied.folder / "planned").stat().st_size > 0
    assert "terraform_data.kept" in applied.run("state", "list")
    for text in (SECRET, PASSPHRASE, "terraform_data"):
        assert text.encode() not in applied.bytes()
    assert "encrypted_data" in json.loads((applied.folder / "terraform.tfstate").read_text())


def test_the_state_can_be_read_again(applied: Tofu) -> None:
    applied.plan(changes=False)
    shown = json.loads(applied.run("show", "-json"))
    (resource,) = shown["values"]["root_module"]["resources"]
    assert resource["values"]["output"] == SECRET


def test_a_wrong_passphrase_fails(applied: Tofu) -> None:
    applied.environ["TF_VAR_state_passphrase"] = "another passphrase altogether"
    assert "decryption failed" in applied.run("plan", code=1)


def test_a_missing_passphrase_fails(applied: Tofu) -> None:
    del applied.environ["TF_VAR_state_passphrase"]
    assert "state_passphrase" in applied.run("plan", code=1)


def test_clear_text_state_is_refused(applied: Tofu) -> None:
    (applied.folder / "terraform.tfstate").write_text(
        json.dumps({"version": 4, "terraform_version": "1.12.0", "serial": 1, "lineage": "x", "resources": []})
    )
    assert "encountered unencrypted payload" in applied.run("plan", code=1)

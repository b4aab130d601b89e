"""Every stack of every environment is valid for real OpenTofu and the real providers."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import OpenStack
from tests.support import Synthesised

KINDS = ("state", "cluster", "flux", "dns")
STACKS = [f"{env}-{kind}" for env in ("sandbox", "staging", "production") for kind in KINDS]


@pytest.mark.parametrize("name", [*STACKS, "gitops-repository"])
def test_a_stack_is_valid(providers: None, stacks: dict[str, Synthesised], open_stack: OpenStack, name: str) -> None:
    tofu = open_stack(stacks[name].data)
    tofu.run("init", "-backend=false")
    result = json.loads(tofu.run("validate", "-json"))
    assert result["diagnostics"] == []
    assert result["valid"] is True


def test_every_stack_is_tried(stacks: dict[str, Synthesised]) -> None:
    assert stacks.keys() == {*STACKS, "gitops-repository"}

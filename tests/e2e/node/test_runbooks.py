"""What the runbooks look at is there: their commands that change nothing run as they stand, on the sandbox."""

from __future__ import annotations

import pytest

from tests.e2e.node.conftest import REPORT
from tests.e2e.node.pages import Command, commands
from tests.e2e.node.sandbox import Sandbox
from tests.support import ROOT

PAGES = sorted(f"runbooks/{path.stem}" for path in (ROOT / "docs/runbooks").glob("*.md"))
LOOKS = {"get", "describe", "logs", "exec"}
INSIDE = {"psql", "rabbitmq-diagnostics", "rabbitmq-queues"}
"""What looks, of the programs that are run inside of pods."""
PIPE = "|"
ABSENT = {
    "sts/alertmanager-kube-prometheus-stack",
    "sts/tempo",
    "opensearchclusters",
    "deploy/valkey-operator-controller-manager",
    "fluxinstance",
}
"""What the sandbox does not have, or only with upstream's images: these commands may find nothing."""


def looks(words: Command) -> bool:
    """Return whether a command changes nothing, and can be run by more than its reader."""
    verb = next((word for word in words if word in LOOKS), "")
    asks = any(mark in word for word in words for mark in ("<", "--askpass", "--previous", "…"))
    return bool(verb) and not asks and (verb != "exec" or bool(INSIDE & set(words)))


def namespace(words: Command) -> str:
    """Return the namespace that a command names; nothing where it names none."""
    return words[words.index("-n") + 1] if "-n" in words else ""


def test_every_command_that_only_looks_finds_what_it_looks_for(platform: Sandbox) -> None:
    cluster = platform.cluster
    there = set(cluster.kubectl("get", "namespaces", "--output=name").split())
    found = [(page, words) for page in PAGES for words in commands(page) if looks(words)]
    run = [(page, words) for page, words in found if not namespace(words) or f"namespace/{namespace(words)}" in there]
    refused: list[str] = []
    for page, words in run:
        own = words[: words.index(PIPE)] if PIPE in words else words
        said = cluster.kubectl(*own, code=None)
        is_error = "Error from server" in said or said.startswith(("error:", "Error"))
        if is_error and not ABSENT & set(words):
            refused.append(f"{page}: kubectl {' '.join(words)}: {said[-300:]}")
    if refused:
        pytest.fail("\n".join(refused))
    REPORT.append(f"runbooks: {len(run)} commands that only look were run, {len(found) - len(run)} need other parts")
    assert len(run) > 30

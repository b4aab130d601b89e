"""A cluster with Secrets, and runs that end right after any change that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from operations.clients.clone import Clone
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.clients.secret_ids import SecretIds
from operations.clients.vault import Secrets
from operations.rotation.in_cluster import InCluster
from tests.fakes.kubernetes import FakeKubernetes
from tests.operations.conftest import Outside

CHANGES: tuple[tuple[type, str], ...] = (
    (Secrets, "_write"),
    (SecretIds, "make"),
    (SecretIds, "destroy"),
    (Clone, "push"),
    (GitHub, "propose"),
    (GitHub, "add_deploy_key"),
    (GitHub, "remove_deploy_key"),
    (DigitalOcean, "post"),
    (DigitalOcean, "delete"),
    (InCluster, "read_again"),
)
"""The methods by which a rotation changes something outside of this process."""


class Runs:
    """Runs of a command, of which one is killed after a change."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes, self.killed_after = 0, 0
        for owner, name in CHANGES:
            monkeypatch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method that ends the run once it is its turn."""

        def changed(*arguments: Any, **options: Any) -> Any:
            answer = change(*arguments, **options)
            self.changes += 1
            if self.changes == self.killed_after:
                raise KeyboardInterrupt
            return answer

        return changed

    def __call__(self, command: Callable[[], None]) -> None:
        """Run a command, to its end or to its kill."""
        try:
            command()
        except KeyboardInterrupt:
            assert self.changes == self.killed_after


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


@pytest.fixture
def kubernetes(outside: Outside) -> Iterator[FakeKubernetes]:
    """The sandbox's cluster."""
    with FakeKubernetes() as server:
        outside.digitalocean.server = server.url
        outside.digitalocean.add_cluster("episodic-sandbox")
        yield server

"""The outside world of the commands' tests with a real Vault in the place of its own, and one cluster."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from constructs_lib.environment import Environment
from operations.clients import vault as client
from tests.e2e.test_vault_login import PUBLIC_KEY
from tests.e2e.vault import Vault
from tests.fakes.kubernetes import FakeKubernetes
from tests.operations.conftest import Outside, opened


class World(NamedTuple):
    """The outside world, the real Vault, and the API server of the sandbox's cluster."""

    outside: Outside
    vault: Vault
    kubernetes: FakeKubernetes

    def environment(self, **changes: Any) -> Environment:
        """Return the sandbox, whose entries this Vault has, and which it follows."""
        for path, versions in self.outside.vault.entries.items():
            self.vault.write(path.removeprefix("episodic/"), **versions[-1])
        here = {"address": self.vault.address, "ca_bundle": self.vault.ca}
        env = self.outside.environment(**changes)
        gitops = env.gitops.model_copy(update={"vault": env.gitops.vault.model_copy(update=here)})
        env = env.model_copy(update={"vault": env.vault.model_copy(update=here), "gitops": gitops})
        self.vault.follow([env], PUBLIC_KEY)
        return env


@contextmanager
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[World]:
    """Let this process live in such a world, as somebody who has a token of its Vault."""
    with opened(folder, monkeypatch) as outside, Vault(folder / "vault") as vault, FakeKubernetes() as kubernetes:
        outside.digitalocean.server = kubernetes.url
        outside.digitalocean.add_cluster("episodic-sandbox")
        monkeypatch.setattr(client, "_tokens", {})
        monkeypatch.setenv("VAULT_TOKEN", vault.token)
        monkeypatch.delenv(client.REQUEST_URL, raising=False)
        yield World(outside, vault, kubernetes)

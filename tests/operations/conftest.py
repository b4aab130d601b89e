"""The outside world in this process: loopback servers, and a `tofu` that does as it is told."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from constructs_lib.environment import GITOPS_REPOSITORY, Environment
from operations.clients import vault
from operations.secrets import entries
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.fakes.github import FakeGitHub
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY, FakeSpaces
from tests.fakes.tofu import FakeTofu
from tests.fakes.vault import TOKEN, FakeVault, endless
from tests.support import environment

PASSPHRASE = "a passphrase of 16+"
ENVIRONMENTS = ("sandbox", "staging", "production")


@cache
def brought() -> dict[str, tuple[str, ...]]:
    """Return what a person has to bring for the environments, by path."""
    return {path: names for name in ENVIRONMENTS for path, names in entries.brought(environment(name))}


class Outside:
    """GitHub, DigitalOcean, Spaces, Vault and OpenTofu; Vault holds what only a person can bring."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vault, self.github, self.digitalocean = FakeVault(), FakeGitHub(), FakeDigitalOcean()
        self.spaces, self.tofu = FakeSpaces(), FakeTofu(folder / "bin")
        self.account = self.account_of("sandbox")
        self.state_key = {"access_key_id": "STATE", "secret_access_key": "of the state"}
        self.plan_key = {"access_key_id": "PLAN", "secret_access_key": "of plans"}
        for path, names in brought().items():
            self.vault.put(f"episodic/{path}", **dict.fromkeys(names, "brought by a person"))
        for name in ENVIRONMENTS:
            account, path = self.account_of(name), f"episodic/{name}/provisioning"
            self.digitalocean.teams[account["digitalocean_token"]] = name
            self.vault.put(path, **account)
            self.vault.put(f"{path}/state", state_passphrase=PASSPHRASE, **self.state_key)
            self.vault.put(f"{path}/plan", digitalocean_token=account["digitalocean_token"], **self.plan_key)
        self.vault.put("episodic/gitops/provisioning", github_token=self.github.token, **self.account)
        for purpose in ("promote", "drift", "integration"):
            self.vault.put(f"episodic/gitops/provisioning/{purpose}", github_token=self.github.token)
        self.vault.notes = {path: endless(self.vault.held(path)) for path in self.vault.entries}

    def account_of(self, name: str) -> dict[str, str]:
        """Return what a person brings of the account of an environment."""
        token = self.digitalocean.token if name == "sandbox" else f"do-token-{name}"
        keys = {"spaces_access_key_id": ACCESS_KEY, "spaces_secret_access_key": SECRET_KEY}
        return {"digitalocean_token": token, **keys}

    def variables(self) -> dict[str, str]:
        """Return the variables by which the outside world is this one."""
        spaces = self.spaces.environment()
        return {
            "GITHUB_API_URL": f"{self.github.url}/api/v3",
            "DIGITALOCEAN_API_URL": self.digitalocean.url,
            "SPACES_ENDPOINT_URL": spaces["SPACES_ENDPOINT_URL"],
            "HTTP_PROXY": spaces["HTTP_PROXY"],
            "NO_PROXY": "127.0.0.1,localhost",
            "VAULT_TOKEN": TOKEN,
            "PATH": f"{self.tofu.folder}{os.pathsep}{os.environ['PATH']}",
        }

    def environment(self, file: str = "sandbox", /, **changes: Any) -> Environment:
        """Return an environment whose Vault is this one; the model takes no address without TLS."""
        env = environment(file, **changes)
        here = {"address": self.vault.url, "ca_bundle": None}
        gitops = env.gitops.model_copy(update={"vault": env.gitops.vault.model_copy(update=here)})
        return env.model_copy(update={"gitops": gitops, "vault": env.vault.model_copy(update=here)})

    def synthesise(self, *environments: Environment, **resources: Any) -> None:
        """Write the stacks of these environments and the shared one into the folder, each with these resources."""
        states = {env.stack(kind): env.state for env in environments for kind in env.stacks}
        for name, state in {**states, GITOPS_REPOSITORY: environments[0].gitops.state}.items():
            path = self.folder / "cdktf.out/stacks" / name / "cdk.tf.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            bucket = {"s3": {"bucket": state.bucket, "key": f"{name}.tfstate"}} if state else {}
            backend = bucket or {"local": {"path": f"../../../states/{name}.tfstate"}}
            path.write_text(json.dumps({"terraform": {"backend": backend}, "resource": resources}))
        self.tofu.save()


@contextmanager
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Outside]:
    """Let this process live in a new outside world, in a folder of its own."""
    monkeypatch.chdir(folder)
    world = Outside(folder)
    with ExitStack() as stack:
        for part in (world.vault, world.github, world.digitalocean, world.spaces):
            stack.enter_context(part)
        for name, value in world.variables().items():
            monkeypatch.setenv(name, value)
        world.tofu.save()
        yield world
        assert [*world.vault.refused, *world.github.refused, *world.digitalocean.refused] == []


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test think that it runs in a job, whatever runs it, or use a login or the charts of another."""
    for name in [*os.environ]:
        if name.startswith(("GITHUB_", "ACTIONS_", "DIGITALOCEAN_", "SPACES_", "AWS_", "VAULT_", "CHARTS")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(vault, "_tokens", {})


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """An outside world in which nothing was made yet; the test runs in a folder of its own."""
    with opened(tmp_path, monkeypatch) as world:
        yield world


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait for nothing between two tries, and return how long each wait would have been."""
    waits: list[float] = []
    for module in ("urllib3.util.retry", "tenacity.nap"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(sleep=waits.append, time=time.time))
    monkeypatch.setattr("github.Requester.time", SimpleNamespace(sleep=list[float]().append))
    return waits

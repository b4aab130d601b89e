"""Fixtures for tests with real tools: they skip with a reason, or fail where `TOOLS_REQUIRED=1`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cdktf import App

from constructs_lib.base.stacks import KUBERNETES_VERSION, given
from constructs_lib.environment import Environment, StackKind
from operations.clients.kubernetes import Access
from stacks.synthesis import STACKS
from tests.e2e.certificate import make_certificate
from tests.e2e.cluster import CRDS, TOOLS, Cluster
from tests.e2e.tofu import Tofu
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.fakes.spaces import FakeSpaces
from tests.support import ROOT, Synthesised

OpenStack = Callable[..., Tofu]


class Cloud:
    """A DigitalOcean account, its Spaces, and the variables by which the providers use them."""

    def __init__(self, api: FakeDigitalOcean, spaces: FakeSpaces) -> None:
        self.api, self.spaces = api, spaces

    def environment(self) -> dict[str, str]:
        """Return the variables of a run of `tofu`."""
        return {
            "DIGITALOCEAN_API_URL": self.api.url,
            "DIGITALOCEAN_TOKEN": self.api.token,
            "DIGITALOCEAN_HTTP_RETRY_MAX": "0",
            given(KUBERNETES_VERSION): "1.36.2-do.0",
            **self.spaces.environment(),
        }

    def cluster_environment(self) -> dict[str, str]:
        """Return the variables of a run that reaches the cluster."""
        return Access(self.api.server, self.api.cluster_token, self.api.ca.decode()).variables()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def require(*tools: str) -> None:
    """Skip where a tool is not built, or fail where `TOOLS_REQUIRED=1`."""
    for path in (ROOT / "tools/bin" / tool for tool in tools):
        if not path.exists():
            stop = pytest.fail if os.environ.get("TOOLS_REQUIRED") == "1" else pytest.skip
            stop(f"not built: {path} (make tools)")


@pytest.fixture(scope="session")
def tofu_is_built() -> None:
    """Skip where OpenTofu is not built."""
    require("tofu")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A real API server that has no node and no CRD yet."""
    require(*TOOLS)
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}; set CRDS")
    with Cluster(tmp_path / "cluster") as running:
        yield running


def why_no_providers(stacks: dict[str, Synthesised], folder: Path) -> str | None:
    """Return why `tofu init` does not find the providers, which no package registry serves; nothing if it does."""
    for name in ("sandbox-flux", "gitops-repository"):
        printed = Tofu(folder / name, stacks[name].data, {}).run("init", "-backend=false", code=None)
        if "OpenTofu has been successfully initialized" not in printed:
            return printed.strip().splitlines()[-1]
    return None


@pytest.fixture(scope="session")
def providers(tofu_is_built: None, stacks: dict[str, Synthesised], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where `tofu init` cannot find the providers."""
    why = why_no_providers(stacks, tmp_path_factory.mktemp("init"))
    if why is not None:
        pytest.skip(f"tofu init finds no providers: {why}")


@pytest.fixture
def open_stack(tofu_is_built: None, tmp_path: Path) -> OpenStack:
    """Return a function that puts a stack's JSON into a folder, with these environment variables."""

    def open_in(data: Any, name: str = "stack", **variables: str) -> Tofu:
        return Tofu(tmp_path / name, data, variables)

    return open_in


@pytest.fixture
def cloud(providers: None, tmp_path: Path) -> Iterator[Cloud]:
    """An empty account; the test fails if a provider asked for something that the fake does not know."""
    # The providers read the certificate of a cluster before they call it.
    make_certificate(certificate := tmp_path / "cluster-ca.pem", tmp_path / "cluster-key.pem")
    with FakeDigitalOcean(ca=certificate.read_bytes()) as api, FakeSpaces() as spaces:
        yield Cloud(api, spaces)
        assert api.refused == []


def write_stack(out: Path, kind: StackKind, env: Environment) -> Path:
    """Synthesise a stack of an environment anew into `out`, and return its folder, with the files that it brings."""
    shutil.rmtree(out, ignore_errors=True)
    app = App(outdir=str(out))
    STACKS[kind](app, env.stack(kind), env=env)
    app.synth()
    return out / "stacks" / env.stack(kind)

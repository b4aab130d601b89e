"""The clusters that the tests of this folder share: they skip with a reason, or fail where `TOOLS_REQUIRED=1`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator

import pytest

from constructs_lib.kit import namespace
from tests.e2e.cluster import CRDS
from tests.e2e.conftest import require
from tests.e2e.node import requirements, sandbox
from tests.e2e.node.application import Application
from tests.e2e.node.cluster import TOOLS, NodeCluster
from tests.e2e.node.prometheus import Prometheus
from tests.e2e.node.sandbox import Sandbox

REPORT: list[str] = []
"""What the summary of a run says."""


def require_node(*tools: str) -> None:
    """Skip where a tool is not built or the machine lacks something, or fail where `TOOLS_REQUIRED=1`."""
    require(*tools)
    why_not = requirements.why_not()
    if why_not is not None:
        stop = pytest.fail if os.environ.get("TOOLS_REQUIRED") == "1" else pytest.skip
        stop(why_not)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeCluster]:
    """A cluster with two machines, one of each pool."""
    require_node(*TOOLS)
    with NodeCluster(tmp_path_factory.mktemp("node")) as running:
        REPORT.extend(f"{what} after {seconds:.1f} s" for what, seconds in running.took.items())
        yield running


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster that follows the sandbox, with all layers Ready."""
    require_node(*sandbox.TOOLS)
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}; set CRDS")
    folder = tmp_path_factory.mktemp("platform")
    with sandbox.sandbox(sandbox.environment(), folder) as made:
        REPORT.append(f"sandbox: every layer Ready after {sandbox.await_layers(made, folder):.0f} s")
        REPORT.append(f"sandbox, real: {', '.join((*made.follower.real, *sandbox.REAL))}; {sandbox.charts_used()}")
        REPORT.append(f"sandbox, stand-ins: {', '.join(made.stand_ins)}")
        REPORT.append(
            f"sandbox, upstream's images: {', '.join(sorted(made.cluster.upstream)) or 'none, all are built'}"
        )
        yield made


@pytest.fixture(scope="session")
def application(platform: Sandbox) -> Application:
    """The application's pod; network policies know a new pod a moment after it is Ready."""
    made = Application(platform)
    made.start()
    platform.cluster.eventually(lambda: made.psql("select 1", code=None) == "1", "the application reaches Postgres")
    return made


@pytest.fixture(scope="session")
def prometheus(platform: Sandbox) -> Prometheus:
    """The sandbox's Prometheus, once it answers."""
    made = Prometheus(platform.cluster)
    made.await_ready()
    return made


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Put faults last: what other tests say is about a platform to which nothing has happened yet.

    Production comes first, then what needs a cluster of its own; both are over when the sandbox begins, so that the
    machine holds one cluster at a time. What ends the sandbox comes last of all.
    """

    def place(item: pytest.Function) -> int:
        if item.path.name == "test_production.py":
            return 0
        name = item.path.name
        return 1 + ("platform" in item.fixturenames) + name.startswith("test_faults") + 2 * (name == "test_rebuild.py")

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the start took."""
    if REPORT:
        terminalreporter.section("real node")
        terminalreporter.write_line("\n".join(REPORT))


@pytest.fixture
def rooms(node: NodeCluster) -> Iterator[Callable[..., str]]:
    """Return a function that makes a namespace, under the restricted pod security standard, and returns its name."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(f"{name}-{secrets.token_hex(2)}")
        node.apply(namespace(made[-1], part_of="apps"))
        account = ("get", "serviceaccount", "default", "--namespace", made[-1])
        node.eventually(lambda: "default" in node.kubectl(*account, code=None).split(), "the namespace has an account")
        return made[-1]

    yield make
    if made:
        node.kubectl("delete", "namespace", *made, "--wait=false")

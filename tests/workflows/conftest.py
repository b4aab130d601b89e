"""Fixtures for tests of workflows and of the commands behind them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.cluster import TOOLS, Cluster
from tests.e2e.conftest import require, why_no_providers
from tests.support import ROOT, Synthesised
from tests.workflows.act import Project
from tests.workflows.flux import install_kinds
from tests.workflows.world import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder that needs the outside world."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "make_world" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def has_providers(stacks: dict[str, Synthesised], tmp_path_factory: pytest.TempPathFactory) -> bool:
    """Whether `tofu init` finds the real providers."""
    require("tofu")
    return why_no_providers(stacks, tmp_path_factory.mktemp("init")) is None


@pytest.fixture
def flux_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A real API server that takes Flux's objects."""
    require(*TOOLS)
    with Cluster(tmp_path / "cluster") as running:
        install_kinds(running)
        yield running


@pytest.fixture
def make_world(tmp_path: Path, has_providers: bool) -> Iterator[Callable[..., World]]:
    """Return a function that makes outside worlds in which nothing was made yet.

    The test fails if a client asked for what a fake does not know.
    """
    require("tofu", "vault-server")
    with ExitStack() as stack:
        made: list[World] = []

        def make(name: str = "world", cluster: Cluster | None = None) -> World:
            made.append(stack.enter_context(World(tmp_path / name, cluster, providers=has_providers)))
            return made[-1]

        yield make
        assert [refused for world in made for refused in world.refused()] == []


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """An outside world in which nothing was made yet."""
    return make_world()


@pytest.fixture
def project(tmp_path: Path, world: World) -> Project:
    """Return this project in a repository of its own, with environments that live in the test's world."""
    return project_in(world, tmp_path / "project")


def project_in(world: World | None, folder: Path) -> Project:
    """Return this project in a folder, with environments that live in `world` if one is given."""
    made = Project(folder)
    for name, text in world.environment_files().items() if world else ():
        made.write(name, text)
    (made.folder / ".venv").symlink_to(sys.prefix)
    (made.folder / "tools/bin").symlink_to(ROOT / "tools/bin")
    made.commit("Live in the test's world")
    return made

"""A retired Postgres is closed to applications, and all else of it stays: walls, passwords and the archive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constructs_lib.platform.cloudnative_pg.cluster import NAMESPACE
from gitops_render.tree import render
from gitops_render.write import write
from tests.e2e.node import pods, postgres, sandbox
from tests.e2e.node.application import APP, CLUSTER, Application
from tests.e2e.node.sandbox import Sandbox

PRIMARY = f"{CLUSTER}-1"
PLACE = f"tcp:{CLUSTER}-rw.{NAMESPACE}.svc:5432"
NEAR, STRANGER = (APP, "near"), ("cache", "stranger")
"""A pod of the application, which Postgres is open to, and one of somebody else."""

STAYS = ("networkpolicies", "externalsecrets", "secrets", "scheduledbackups", "objectstores", "prometheusrules")


def kept(platform: Sandbox) -> set[str]:
    """Return the names of what stays around the cluster."""
    return set(platform.cluster.kubectl("get", ",".join(STAYS), "-n", NAMESPACE, "--output=name").split())


@pytest.fixture
def others(platform: Sandbox) -> Iterator[None]:
    """Pods that try to reach Postgres."""
    cluster = platform.cluster
    cluster.apply(*(pods.pod(namespace, name, "pause") for namespace, name in (NEAR, STRANGER)))
    for namespace, name in (NEAR, STRANGER):
        cluster.kubectl("wait", "pod", name, "-n", namespace, "--for=condition=Ready", "--timeout=600s")
    yield
    for namespace, name in (NEAR, STRANGER):
        cluster.kubectl("delete", "pod", name, "-n", namespace)


@pytest.mark.usefixtures("others")
def test_a_closed_postgres_archives_and_nobody_reaches_it_until_it_is_open_again(
    platform: Sandbox, application: Application
) -> None:
    cluster, repository = platform.cluster, platform.follower.repository

    def reached() -> tuple[bool, bool]:
        near, stranger = (cluster.reaches(*pod, PLACE)[PLACE] for pod in (NEAR, STRANGER))
        return near, stranger

    cluster.eventually(lambda: reached() == (True, False), "only the application reaches Postgres")
    before = kept(platform)
    write(repository.folder, platform.env.name, render(sandbox.environment(retired="closed")))
    closing = repository.commit("Retire Postgres")
    cluster.eventually(lambda: reached() == (False, False), "nobody reaches Postgres")
    assert application.psql("select 1", code=None) != "1"
    platform.follower.apply_again()
    assert kept(platform) == before
    written = postgres.switched(cluster, PRIMARY)
    cluster.eventually(lambda: written in platform.spaces.stored(), "the log is archived")

    repository.git("revert", "--no-edit", closing)
    cluster.eventually(lambda: application.psql("select 1", code=None) == "1", "the application is back")
    assert not reached()[1]

"""The pooler before Postgres is real: an application writes through it."""

from __future__ import annotations

import json

import pytest

from constructs_lib.platform.cloudnative_pg.cluster import NAMESPACE
from tests.e2e.node.application import CLUSTER, Application
from tests.e2e.node.sandbox import Sandbox

POOLER = f"{CLUSTER}-pooler"
HOST = f"{POOLER}.{NAMESPACE}.svc"


def pods(sandbox: Sandbox) -> dict[str, str]:
    """Return the address of each of its pods."""
    chosen = ("-n", NAMESPACE, "-l", f"cnpg.io/poolerName={POOLER}", "--output=json")
    found = json.loads(sandbox.cluster.kubectl("get", "pods", *chosen))["items"]
    return {item["metadata"]["name"]: item["status"].get("podIP", "") for item in found}


@pytest.fixture(scope="module")
def pooled(application: Application) -> Application:
    """The application, once it reaches the pooler: its layer is Ready when its Deployment is made."""
    ready = ("rollout", "status", f"deployment/{POOLER}", "-n", NAMESPACE, "--timeout=90s")
    application.sandbox.cluster.kubectl(*ready)
    application.sandbox.cluster.eventually(
        lambda: application.psql("select 1", HOST, code=None) == "1", "the application reaches the pooler"
    )
    return application


def test_what_is_written_through_the_pooler_is_in_postgres(pooled: Application) -> None:
    pooled.psql("create table pooled (note text); insert into pooled values ('first')", HOST)
    assert pooled.psql("select note from pooled") == "first"


def test_the_pooler_connects_by_tls_and_postgres_sees_nobody_else(platform: Sandbox, pooled: Application) -> None:
    said = pooled.psql(
        "select client_addr, ssl from pg_stat_activity join pg_stat_ssl using (pid) where pid = pg_backend_pid()", HOST
    )
    address, encrypted = said.split("|")
    assert address in pods(platform).values()
    assert encrypted == "t"


def test_a_wrong_password_is_refused(pooled: Application) -> None:
    refused = pooled.run("env", f"PGHOST={HOST}", "PGPASSWORD=wrong", "psql", "-c", "select 1", code=None)
    assert "authentication failed" in refused


def test_the_pooler_answers_again_after_its_pod_was_killed(platform: Sandbox, pooled: Application) -> None:
    before = pods(platform)
    platform.cluster.kubectl("delete", "pod", *before, "-n", NAMESPACE, "--grace-period=0", "--force")
    platform.cluster.eventually(
        lambda: not set(before) & set(pods(platform)) and pooled.psql("select 1", HOST, code=None) == "1",
        "the pooler answers again",
    )

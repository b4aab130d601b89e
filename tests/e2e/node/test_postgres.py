"""The sandbox's Postgres is real: an application uses it, its backups reach the bucket, and it outlives its pod."""

from __future__ import annotations

import json

from constructs_lib.platform.cloudnative_pg.cluster import NAMESPACE
from tests.e2e.node.application import CLUSTER, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.postgres import POSTGRES, switched
from tests.e2e.node.sandbox import Sandbox

PRIMARY = f"{CLUSTER}-1"


def test_the_operator_calls_the_cluster_healthy_and_its_log_archived(platform: Sandbox) -> None:
    def conditions() -> dict[str, str]:
        found = platform.cluster.get("cluster.postgresql.cnpg.io", CLUSTER, NAMESPACE) or {}
        return {item["type"]: item["status"] for item in found["status"].get("conditions", [])}

    wanted = {"Ready": "True", "ContinuousArchiving": "True"}
    platform.cluster.eventually(lambda: conditions().items() >= wanted.items(), "the log is archived")


def test_an_application_writes_by_tls_with_the_password_from_vault(application: Application) -> None:
    application.psql("create table notes (note text); insert into notes values ('first')")
    said = application.psql(
        "select note, ssl, current_setting('server_version') from notes, pg_stat_ssl where pid = pg_backend_pid()"
    )
    note, encrypted, version = said.split("|")
    assert (note, encrypted) == ("first", "t")
    assert POSTGRES.name.rpartition(":")[2].startswith(version.partition(".")[0])
    REPORT.append(f"sandbox: Postgres {version}")


def test_a_base_backup_and_the_log_reach_the_bucket(platform: Sandbox) -> None:
    def backups() -> list[str]:
        printed = platform.cluster.kubectl("get", "backups.postgresql.cnpg.io", "-n", NAMESPACE, "--output=json")
        return [item["status"].get("phase") for item in json.loads(printed)["items"] if "status" in item]

    platform.cluster.eventually(lambda: "completed" in backups(), "a backup is completed")
    assert any(
        key.startswith(f"postgres/{PRIMARY}/base/") and key.endswith("/data.tar.gz") for key in platform.spaces.stored()
    )
    key = switched(platform.cluster, PRIMARY)
    platform.cluster.eventually(lambda: key in platform.spaces.stored(), f"{key} is in the bucket")


def test_what_was_written_outlives_the_primary(platform: Sandbox, application: Application) -> None:
    application.psql("insert into notes values ('second')")
    platform.cluster.kubectl("delete", "pod", PRIMARY, "-n", NAMESPACE, "--grace-period=0", "--force")
    took = platform.cluster.eventually(
        lambda: application.psql("select note from notes", code=None) == "first\nsecond", "Postgres answers again"
    )
    application.psql("insert into notes values ('third')")
    REPORT.append(f"sandbox: Postgres answers {took:.0f} s after its pod was killed")

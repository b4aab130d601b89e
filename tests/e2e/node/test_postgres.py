"""The sandbox's Postgres is real: an application uses it, its backups reach the bucket, and it outlives its pod."""

from __future__ import annotations

import json

import pytest

from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.cert_manager import TRUSTED_CA
from constructs_lib.platform.cloudnative_pg.cluster import NAMESPACE
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.pods import RESTRICTED
from tests.e2e.node.postgres import POSTGRES, USER
from tests.e2e.node.sandbox import SECRETS, Sandbox

CLUSTER, APP = "main", "episodic"
PRIMARY = f"{CLUSTER}-1"
ARCHIVE = f"postgres/{CLUSTER}"
CA = "/ca/ca.crt"
CONNECTION = {
    "PGHOST": f"{CLUSTER}-rw.{NAMESPACE}.svc",
    "PGUSER": APP,
    "PGDATABASE": APP,
    "PGPASSWORD": SECRETS[f"postgres/{CLUSTER}/{APP}"]["password"],
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": CA,
    "PGCONNECT_TIMEOUT": "5",
}
"""How an application connects: by TLS, with the password from Vault, and with the CA that its namespace has."""


def client() -> Manifest:
    """Return an application's pod, in which a test runs psql."""
    container: Manifest = {
        "name": "client",
        "image": POSTGRES.name,
        "command": ["sleep", "infinity"],
        "env": [{"name": name, "value": value} for name, value in CONNECTION.items()],
        "securityContext": {**RESTRICTED, "runAsUser": USER},
        "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    }
    volumes = [{"name": "ca", "secret": {"secretName": TRUSTED_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1}
    return manifest("v1", "Pod", "client", APP, spec=spec)


def psql(sandbox: Sandbox, command: str, *, code: int | None = 0) -> str:
    """Run an SQL command as the application and return what it printed."""
    run = ("exec", "client", "-n", APP, "--", "psql", "-XAtqc", command)
    return sandbox.cluster.kubectl(*run, code=code).strip()


@pytest.fixture(scope="module")
def app(platform: Sandbox) -> Sandbox:
    """The sandbox with an application's pod; network policies know a new pod a moment after it is Ready."""
    platform.cluster.apply(client())
    platform.cluster.await_pods(APP)
    platform.cluster.eventually(
        lambda: psql(platform, "select 1", code=None) == "1", "the application reaches Postgres"
    )
    return platform


def test_the_operator_calls_the_cluster_healthy_and_its_log_archived(platform: Sandbox) -> None:
    def conditions() -> dict[str, str]:
        found = platform.cluster.get("cluster.postgresql.cnpg.io", CLUSTER, NAMESPACE) or {}
        return {item["type"]: item["status"] for item in found["status"].get("conditions", [])}

    wanted = {"Ready": "True", "ContinuousArchiving": "True"}
    platform.cluster.eventually(lambda: conditions().items() >= wanted.items(), "the log is archived")


def test_an_application_writes_by_tls_with_the_password_from_vault(app: Sandbox) -> None:
    psql(app, "create table notes (note text); insert into notes values ('first')")
    said = psql(
        app, "select note, ssl, current_setting('server_version') from notes, pg_stat_ssl where pid = pg_backend_pid()"
    )
    note, encrypted, version = said.split("|")
    assert (note, encrypted) == ("first", "t")
    assert POSTGRES.name.rpartition(":")[2].startswith(version.partition(".")[0])
    REPORT.append(f"sandbox: Postgres {version}")


def test_a_base_backup_and_the_log_reach_the_bucket(app: Sandbox) -> None:
    def backups() -> list[str]:
        printed = app.cluster.kubectl("get", "backups.postgresql.cnpg.io", "-n", NAMESPACE, "--output=json")
        return [item["status"].get("phase") for item in json.loads(printed)["items"] if "status" in item]

    app.cluster.eventually(lambda: "completed" in backups(), "a backup is completed")
    assert any(key.startswith(f"{ARCHIVE}/base/") and key.endswith("/data.tar.gz") for key in app.spaces.stored())

    superuser = ("exec", PRIMARY, "-n", NAMESPACE, "-c", "postgres", "--", "psql", "-XAtqc")
    written = app.cluster.kubectl(*superuser, "select pg_walfile_name(pg_switch_wal())").strip()
    key = f"{ARCHIVE}/wals/{written[:16]}/{written}.gz"
    app.cluster.eventually(lambda: key in app.spaces.stored(), f"{key} is in the bucket")


def test_what_was_written_outlives_the_primary(app: Sandbox) -> None:
    psql(app, "insert into notes values ('second')")
    app.cluster.kubectl("delete", "pod", PRIMARY, "-n", NAMESPACE, "--grace-period=0", "--force")
    took = app.cluster.eventually(
        lambda: psql(app, "select note from notes", code=None) == "first\nsecond", "Postgres answers again", within=180
    )
    psql(app, "insert into notes values ('third')")
    REPORT.append(f"sandbox: Postgres answers {took:.0f} s after its pod was killed")

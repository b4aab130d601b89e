"""Real Postgres with the rules and roles that are rendered: an application gets into its own database and no other.

It is the server's alone: no node is started, and the operator's part is done as it does it
(cloudnative-pg/cloudnative-pg v1.30.0 `pkg/postgres/configuration.go`, `internal/management/controller/roles`).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.kit import Manifest
from operations.rehearsal.api_server import free_ports
from tests.e2e.certificate import make_certificate
from tests.e2e.conftest import require
from tests.e2e.node.conftest import require_node
from tests.e2e.node.postgres import PATH, POSTGRES_FILES, USER
from tests.support import ROOT, environment

PATIENCE = 300
DATA = "/data"
FIXED = ("local all all peer map=local", "hostssl all cnpg_pooler_pgbouncer all cert map=cnpg_pooler_pgbouncer")
FOR_ALL_OTHERS = "host all all all scram-sha-256"
"""The operator's rules before and after ours."""
APPLICATIONS = ("shop", "blog", "all")
"""One has a name that is a word of the rules."""
READER = "reader"
"""A role that owns no database."""
PASSWORD = "of-the-test"


def two_applications() -> list[Manifest]:
    """Return what is rendered for Postgres where two applications use one cluster, and a role reads in all."""
    uses = {"owner": "a", "uses": {"postgres": {"main": {}}}}
    clusters = [{"name": "main", "roles": [{"name": READER}]}]
    env = environment(applications=dict.fromkeys(APPLICATIONS, uses), platform__cloudnative_pg={"clusters": clusters})
    return [item for layer in env.layers for item in layer.manifests]


class Postgres:
    """A server in a folder that holds the files of its image."""

    def __init__(self, folder: Path) -> None:
        self._root, (self.port,) = folder, free_ports(1)
        folder.mkdir()
        subprocess.run(["tar", "-xf", ROOT / "tools/bin" / POSTGRES_FILES, "-C", folder], check=True)
        for name in ("bin", "lib", "lib64"):
            (folder / name).symlink_to(f"usr/{name}")
        for name in ("dev", "data"):
            (folder / name).mkdir()
        os.chown(folder / "data", USER, USER)
        (folder / "etc/passwd").write_text(f"postgres:x:{USER}:{USER}::{DATA}:/bin/sh\n")
        self.run("initdb", f"--pgdata={DATA}", "--no-sync", "--username=postgres", "--auth=trust")
        make_certificate(folder / "data/server.crt", folder / "data/server.key")
        for name in ("server.crt", "server.key"):
            os.chown(folder / "data" / name, USER, USER)
            (folder / "data" / name).chmod(0o600)
        (folder / "data/pg_ident.conf").write_text("local postgres postgres\n")

    def run(self, *command: str, code: int | None = 0, **variables: str) -> str:
        """Run a program of the image, and return what it printed."""
        named = [f"{name}={value}" for name, value in {"PATH": PATH, "LC_ALL": "C", **variables}.items()]
        inside = f'mount --bind /dev "{self._root}/dev" && exec chroot --userspec={USER}:{USER} "{self._root}" "$@"'
        whole = ["unshare", "--mount", "sh", "-c", inside, "sh", "/usr/bin/env", *named, *command]
        done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert code is None or done.returncode == code, done.stderr
        return (done.stdout + done.stderr).strip()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -c ssl=on -c listen_addresses=127.0.0.1 -c unix_socket_directories={DATA}"
        self.run("pg_ctl", "start", "-D", DATA, "-w", "-l", f"{DATA}/log", "-o", options)

    def stop(self) -> None:
        """End it."""
        self.run("pg_ctl", "stop", "-D", DATA, "-m", "immediate", code=None)

    def rules(self, *lines: str) -> None:
        """Let these rules say who gets in, from now on."""
        (self._root / "data/pg_hba.conf").write_text("\n".join((*FIXED, *lines, FOR_ALL_OTHERS)) + "\n")
        assert self.superuser("select error from pg_hba_file_rules where error is not null") == ""
        before = self.superuser("select pg_conf_load_time()")
        self.run("pg_ctl", "reload", "-D", DATA)
        deadline = time.monotonic() + PATIENCE
        while self.superuser("select pg_conf_load_time()") == before:
            assert time.monotonic() < deadline, "the server does not read its rules"

    def superuser(self, command: str, database: str = "postgres") -> str:
        """Run a command as the operator does, and return what it printed."""
        return self.run("psql", "-h", DATA, "-p", str(self.port), "-U", "postgres", "-XAtqc", command, database)

    def asked(self, role: str, database: str, command: str = "select 1", mode: str = "require") -> str:
        """Return what the server says to a role that comes over the network."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", role)
        return self.run("psql", *where, "-XAtqc", command, database, code=None, PGPASSWORD=PASSWORD, PGSSLMODE=mode)


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    """The specification of the cluster."""
    (cluster,) = (item for item in two_applications() if item["kind"] == "Cluster")
    return cluster["spec"]


@pytest.fixture(scope="module")
def postgres(rendered: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server with the roles and databases that are rendered, each with a table."""
    require_node(POSTGRES_FILES)
    require(POSTGRES_FILES)
    server = Postgres(tmp_path_factory.mktemp("postgres") / "root")
    server.start()
    try:
        for role in rendered["managed"]["roles"]:
            server.superuser(f"create role \"{role['name']}\" login password '{PASSWORD}'")
        for item in two_applications():
            if item["kind"] == "Database":
                name, owner = item["spec"]["name"], item["spec"]["owner"]
                server.superuser(f'create database "{name}" owner "{owner}"')
                server.superuser(f'set role "{owner}"; create table {name}_secrets (secret text)', name)
        yield server
    finally:
        server.stop()


def test_without_our_rules_everybody_gets_into_every_database(postgres: Postgres) -> None:
    postgres.rules()
    assert (
        postgres.asked("shop", "blog", "select tablename from pg_tables where schemaname = 'public'") == "blog_secrets"
    )
    assert "permission denied" in postgres.asked("shop", "blog", "select * from blog_secrets")


def test_an_application_gets_into_its_own_database_alone(postgres: Postgres, rendered: dict[str, Any]) -> None:
    postgres.rules(*rendered["postgresql"]["pg_hba"])
    roles, databases = (*APPLICATIONS, READER), (*APPLICATIONS, "postgres", "template1")
    said = {(role, database): postgres.asked(role, database) for role in roles for database in databases}
    entered = {way for way, answer in said.items() if answer == "1"}
    assert entered == {*((name, name) for name in APPLICATIONS), *((READER, database) for database in databases)}
    assert all("pg_hba.conf rejects" in said[way] for way in said.keys() - entered)


def test_nobody_gets_in_without_tls_or_with_another_s_password(postgres: Postgres, rendered: dict[str, Any]) -> None:
    postgres.rules(*rendered["postgresql"]["pg_hba"])
    assert "pg_hba.conf rejects" in postgres.asked("shop", "shop", mode="disable")
    postgres.superuser("alter role blog password 'another'")
    assert "password authentication failed" in postgres.asked("blog", "blog")


def test_what_a_role_owns_no_other_reads(postgres: Postgres, rendered: dict[str, Any]) -> None:
    postgres.rules(*rendered["postgresql"]["pg_hba"])
    assert "permission denied" in postgres.asked(READER, "shop", "select * from shop_secrets")
    assert postgres.asked("shop", "shop", "select count(*) from shop_secrets") == "0"

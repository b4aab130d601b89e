"""The example of an application with the real servers, without a node: it stores, queues and caches by TLS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gitops_render.example import FILES
from operations.rehearsal.api_server import free_ports
from tests.e2e.cluster import BIN
from tests.e2e.node.postgres import POSTGRES_FILES
from tests.e2e.node.rabbitmq import RABBITMQ, RABBITMQ_FILES
from tests.e2e.node.test_grants import PASSWORD, Postgres
from tests.e2e.node.valkey import VALKEY_FILES
from tests.e2e.servers import Root, eventually

ARCHIVES = (POSTGRES_FILES, RABBITMQ_FILES, VALKEY_FILES)
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="a root folder of one's own needs root on Linux"),
    pytest.mark.skipif(
        not all((BIN / files).exists() for files in ARCHIVES),
        reason="the servers' archives are not built (make -C tools node)",
    ),
]
NAME = "shop"
SETTINGS = """
listeners.tcp = none
listeners.ssl.default = {port}
ssl_options.certfile = /tls/tls.crt
ssl_options.keyfile = /tls/tls.key
load_definitions = /tmp/first.json
"""
FIRST = """{
  "users": [{"name": "shop", "password": "of-the-test", "tags": []}], "vhosts": [{"name": "shop"}],
  "permissions": [{"user": "shop", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}]
}"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Servers as the platform's are, and the variables by which an application knows them."""
    folder = tmp_path_factory.mktemp("example")
    ports = free_ports(4)
    with ExitStack() as stack:
        postgres = Postgres(folder / "postgres")
        postgres.start()
        stack.callback(postgres.stop)
        postgres.rules("hostssl all all all scram-sha-256")
        postgres.superuser(f"create role {NAME} login password '{PASSWORD}'")
        postgres.superuser(f"create database {NAME} owner {NAME}")
        own = folder / "postgres/data"
        cache, broker = (_root(folder / files, files, own) for files in (VALKEY_FILES, RABBITMQ_FILES))
        tls = "cert-file /tls/tls.crt", "key-file /tls/tls.key", "ca-cert-file /tls/tls.crt", "auth-clients no"
        settings = " ".join(f"--tls-{item}" for item in (*tls, f"port {ports[0]}"))
        command = ("valkey-server", *f"{settings} --port 0 --dir /tmp --requirepass {PASSWORD} --save".split(), "")
        stack.enter_context(cache.running(*command, log=folder / "valkey.log"))
        (broker.folder / "tmp/rabbitmq.conf").write_text(SETTINGS.format(port=ports[1]))
        (broker.folder / "tmp/first.json").write_text(FIRST)
        environ = {
            "HOME": "/tmp",  # noqa: S108 - in the root folder
            "RABBITMQ_NODENAME": "example@localhost",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_DIST_PORT": str(ports[2]),
            "ERL_EPMD_PORT": str(ports[3]),
            "RABBITMQ_MNESIA_BASE": "/tmp/data",  # noqa: S108
            "RABBITMQ_CONFIG_FILE": "/tmp/rabbitmq.conf",  # noqa: S108
            "RABBITMQ_ENABLED_PLUGINS_FILE": "/tmp/plugins",  # noqa: S108
        }
        stack.callback(broker.run, "epmd", "-kill", ERL_EPMD_PORT=str(ports[3]))
        stack.enter_context(broker.running("rabbitmq-server", log=folder / "rabbitmq.log", **environ))
        yield {
            "SSL_CERT_FILE": str(own / "server.crt"),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "PGUSER": NAME,
            "PGDATABASE": NAME,
            "PGPASSWORD": PASSWORD,
            "AMQP_URL": f"amqps://{NAME}:{PASSWORD}@127.0.0.1:{ports[1]}/{NAME}",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(ports[0]),
            "REDIS_PASSWORD": PASSWORD,
        }


def _root(folder: Path, archive: str, own: Path) -> Root:
    """Return a folder with a server's files, and the certificate of all servers."""
    folder.mkdir()
    root = Root(folder, archive, RABBITMQ.path, ())
    for end in ("crt", "key"):
        (folder / "tls" / f"tls.{end}").write_bytes((own / f"server.{end}").read_bytes())
    return root


def ran(tmp_path: Path, services: dict[str, str], what: str) -> str:
    """Run something of the program, and return what it printed at the end."""
    for name in ("program.py", "clients.py"):
        (tmp_path / name).write_text((FILES / f"{name}.txt").read_text())
    environ = {"PATH": os.environ["PATH"], "OTEL_SERVICE_NAME": NAME, **services}
    code = f"import program\nprint({what})"
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, text=True)  # noqa: PLW1510
    return (done.stdout or done.stderr).splitlines()[-1]


def test_it_stores_queues_and_caches(services: dict[str, str], tmp_path: Path) -> None:
    eventually(lambda: ran(tmp_path, services, "program.queued()") == "1", "the broker takes a message")
    for count in (1, 2):
        assert ran(tmp_path, services, "program.stored()") == str(count)
        assert ran(tmp_path, services, "program.cached()") == str(count)
        assert ran(tmp_path, services, "program.queued()") == str(count + 1)


@pytest.mark.parametrize(
    ("what", "changed", "sentence"),
    [
        ("stored", {"PGPASSWORD": "another"}, "OSError: Postgres: password authentication failed for user"),
        ("stored", {"PGDATABASE": "another"}, 'OSError: Postgres: database "another" does not exist'),
        ("queued", {"AMQP_URL": "another"}, "OSError: RabbitMQ: ACCESS_REFUSED"),
        ("cached", {"REDIS_PASSWORD": "another"}, "OSError: Valkey: NOAUTH"),
        ("stored", {"SSL_CERT_FILE": "/dev/null"}, "ssl.SSLCertVerificationError"),
        ("queued", {"SSL_CERT_FILE": "/dev/null"}, "ssl.SSLCertVerificationError"),
        ("cached", {"SSL_CERT_FILE": "/dev/null"}, "ssl.SSLCertVerificationError"),
    ],
)
def test_what_a_server_refuses_is_said(
    services: dict[str, str], tmp_path: Path, what: str, changed: dict[str, str], sentence: str
) -> None:
    if "AMQP_URL" in changed:
        changed = {"AMQP_URL": services["AMQP_URL"].replace(PASSWORD, "another")}
    assert ran(tmp_path, {**services, **changed}, f"program.{what}()").startswith(sentence)

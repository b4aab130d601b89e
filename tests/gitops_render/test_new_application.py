"""A new application: its entry loads in all environments, and its example is one of it, and answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment, load_all
from constructs_lib.platform.applications import entries
from constructs_lib.platform.cert_manager import CA_FILE
from constructs_lib.platform.observability.names import GATEWAY_HOST, OTLP_HTTP
from gitops_render import example, journal
from gitops_render.new_application import Wanted, new_application
from gitops_render.paths import root_file
from gitops_render.tree import listing
from gitops_render.yaml_output import to_yaml
from operations.rehearsal.api_server import free_ports
from tests.fakes.server import FakeServer
from tests.support import ROOT, run_python

WANTED = Wanted("shop", "team-shop")
SHARED, TREE = Path("environments/_shared.yaml"), Path("gitops.out")
EXAMPLE = TREE / "apps/sandbox/shop"
USED = {"postgres": "main", "rabbitmq": "main", "valkey": "main"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with the shipped files and a tree of the sandbox, in which commands run."""
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    root = TREE / root_file("sandbox")
    root.parent.mkdir(parents=True)
    root.touch()


def made() -> tuple[Environment, ...]:
    environments = load_all()
    new_application(environments, WANTED, TREE)
    return load_all()


def deployment() -> dict[str, Any]:
    return yaml.safe_load((EXAMPLE / "deployment.yaml").read_text())["spec"]["template"]["spec"]


def test_its_entry_is_one_more_in_every_environment_and_nothing_else_changes() -> None:
    before, text = load_all(), SHARED.read_text()
    for old, new in zip(before, made(), strict=True):
        assert {**old.applications, "shop": new.applications["shop"]} == new.applications
        assert new.applications["shop"].owner == "team-shop"
        assert {service: [*getattr(new.applications["shop"].uses, service)] for service in USED} == {
            service: [cluster] for service, cluster in USED.items()
        }
    written = SHARED.read_text()
    start = written.index("  shop:")
    assert written[:start] + written[written.index("\nstate:", start) :] == text


def test_a_service_that_an_environment_lacks_is_left_out() -> None:
    staging = Path("environments/staging.yaml")
    staging.write_text(staging.read_text().replace("{name: main, shards: 3}", "{name: cache, shards: 3}"))
    SHARED.write_text(SHARED.read_text().replace("      valkey: {main: {shared: true}}\n", ""))
    assert made()[0].applications["shop"].uses.model_fields_set == {"postgres", "rabbitmq"}
    assert [one["secretRef"]["name"] for one in deployment()["containers"][0]["envFrom"]] == [
        "postgres-main",
        "rabbitmq-main",
    ]


def with_block(block: str) -> None:
    """Leave the sandbox alone, whose clusters need no application, with this about applications."""
    for name in ("staging", "production"):
        Path(f"environments/{name}.yaml").unlink()
    text = SHARED.read_text()
    SHARED.write_text(text[: text.index("applications:")] + block + "\n" + text[text.index("state: {region") :])


@pytest.mark.parametrize("block", ["", "applications: {}\n", "applications: {} # none yet\n"])
def test_the_first_application_makes_the_block(block: str) -> None:
    with_block(block)
    assert [*made()[0].applications] == ["shop"]


def test_entries_in_one_line_are_for_a_person() -> None:
    with_block("applications: {episodic: {owner: episodic}}\n")
    with pytest.raises(ConfigError, match=r"_shared.yaml:\d+: applications are written in one line"):
        made()
    assert not EXAMPLE.exists()


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (WANTED._replace(name="episodic"), "'episodic' is an application already"),
        (WANTED._replace(name="kube-shop"), "'kube-shop' belongs to Kubernetes"),
        (WANTED._replace(name="databases"), "'databases' is the namespace of"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(wanted: Wanted, sentence: str) -> None:
    text = SHARED.read_text()
    with pytest.raises(ConfigError, match=sentence):
        new_application(load_all(), wanted, TREE)
    assert SHARED.read_text() == text
    assert [path.name for path in TREE.iterdir()] == ["clusters"]


def test_what_somebody_wrote_is_kept_and_nothing_is_written() -> None:
    EXAMPLE.mkdir(parents=True)
    (EXAMPLE / "service.yaml").write_text("mine\n")
    text = SHARED.read_text()
    with pytest.raises(ConfigError, match=r"shop/service.yaml: is there already; remove it, or take another name"):
        made()
    assert SHARED.read_text() == text
    assert [path.name for path in EXAMPLE.iterdir()] == ["service.yaml"]


def test_without_a_tree_it_says_which_folder_it_wants() -> None:
    (TREE / root_file("sandbox")).unlink()
    text = SHARED.read_text()
    with pytest.raises(
        ConfigError,
        match=r"kustomization\.yaml: is not there; name the folder of the GitOps repository with",
    ):
        made()
    assert (SHARED.read_text(), EXAMPLE.exists()) == (text, False)


def test_what_its_folder_begins_with_is_filled_and_nothing_is_written_beside_it() -> None:
    EXAMPLE.mkdir(parents=True)
    (EXAMPLE / "kustomization.yaml").write_bytes(to_yaml(listing([])))
    made()
    assert [path.name for path in EXAMPLE.parent.iterdir()] == ["shop"]
    assert "configMapGenerator" in yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())


def test_a_run_that_was_cut_before_the_entry_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SHARED.read_text()
    with monkeypatch.context() as cut:
        cut.setattr(journal, "_clear", _cut)
        with pytest.raises(OSError, match="cut"):
            made()
    assert SHARED.read_text() == text
    assert "shop" in made()[0].applications
    assert not (TREE / journal.STAGED).exists()


def _cut(folder: Path) -> None:
    raise OSError(f"{folder}: cut")


def test_the_example_is_of_its_entry() -> None:
    shop = made()[0].applications["shop"]
    pod, service = deployment(), yaml.safe_load((EXAMPLE / "service.yaml").read_text())
    listing = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    assert listing["namespace"] == service["metadata"]["name"] == shop.name
    assert [port["port"] for port in service["spec"]["ports"]] == [*shop.public_ports]
    (container,) = pod["containers"]
    assert [port["containerPort"] for port in container["ports"]] == [*shop.public_ports]
    assert container["image"] == example.IMAGE
    assert [port["containerPort"] for port in container["ports"]] == [example.PORT]
    assert {item["secretRef"]["name"] for item in container["envFrom"]} == {
        f"{one}-{name}" for one, name in USED.items()
    }
    named = [*listing["resources"], *listing["configMapGenerator"][0]["files"]]
    assert {path.name for path in EXAMPLE.iterdir()} == {"kustomization.yaml", *named}
    assert "sample" not in "".join(path.read_text() for path in EXAMPLE.iterdir())


def test_what_its_program_reads_is_in_the_secrets_that_its_namespace_gets() -> None:
    env = made()[0]
    found = dict(entries(env, env.applications["shop"]))
    (container,) = deployment()["containers"]
    assert {item["secretRef"]["name"] for item in container["envFrom"]} == found.keys()
    keys = {key for entry in found.values() for key in (entry.template or {})["data"]}
    program = "".join((EXAMPLE / name).read_text() for name in ("program.py", "clients.py"))
    read = set(re.findall(r"\b(?:PG|AMQP_|REDIS_)[A-Z]+\b", program))
    assert len(read) == 9
    assert read <= keys
    assert {"name": "SSL_CERT_FILE", "value": CA_FILE} in container["env"]
    assert {"name": "trusted-ca", "mountPath": str(Path(CA_FILE).parent)} in container["volumeMounts"]


def test_it_tells_the_gateway_by_tls() -> None:
    made()
    (container,) = deployment()["containers"]
    told = {item["name"]: item["value"] for item in container["env"]}["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert told == f"https://{GATEWAY_HOST}:{OTLP_HTTP}"


def test_its_pods_meet_the_standard_of_its_namespace() -> None:
    made()
    pod = deployment()
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


CLIENTS = """
class Postgres:
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def query(self, sql):
        if "nothing" in __import__("os").environ["PGHOST"]: raise OSError("away")
        return {"select count(*) from visits": "3"}.get(sql)

class RabbitMQ:
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def publish(self, queue, message): return {("visits", b"visit"): 7}[queue, message]

def valkey(*words): return {("INCR", "shop:visits"): "5"}[words]
"""
"""What stands for the clients, which are for servers: test_clients.py plays some, tests/e2e has real ones."""


class Collector(FakeServer):
    """Keeps what is told by OTLP."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, Any] = {}
        self.app.add_url_rule("/v1/<kind>", view_func=self._take, methods=["POST"])

    def _take(self, kind: str) -> str:
        from flask import request

        self.told[kind] = request.get_json()
        return "{}"

    def awaited(self, kind: str) -> Any:
        """Return what was told of a kind, once it is."""
        deadline = time.monotonic() + 60
        while kind not in self.told:
            assert time.monotonic() < deadline, f"nothing is told of {kind}"
            time.sleep(0.05)
        return self.told[kind]


@contextmanager
def running(collector: Collector, **variables: str) -> Generator[str]:
    """Run the example's program, and yield its address."""
    made()
    (EXAMPLE / "clients.py").write_text(CLIENTS)
    (port,) = free_ports(1)
    own = {"PORT": str(port), "OTEL_SERVICE_NAME": "shop", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **variables}
    environ = {"PATH": os.environ["PATH"], **own}
    with subprocess.Popen([sys.executable, EXAMPLE / "program.py"], env=environ) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def asked(url: str) -> tuple[int, Any]:
    """Return what the program answers, once it does."""
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = requests.get(url, timeout=60)
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the program does not answer"
            time.sleep(0.05)
        else:
            return answer.status_code, answer.json()


CUMULATIVE = 2
"""How Prometheus wants sums (opentelemetry-proto v1 `metrics.proto`); it refuses what counts from the last time on."""


def test_it_uses_a_queue_where_its_entry_names_one() -> None:
    with Collector() as collector, running(collector, AMQP_URL="amqps://main") as url:
        status, said = asked(url)
    assert (status, said["queued"]) == (200, 8)


def test_the_program_uses_what_its_entry_names_and_tells_of_each_visit() -> None:
    with Collector() as collector, running(collector, PGHOST="main", REDIS_HOST="cache") as url:
        assert asked(f"{url}/health") == (200, {})
        assert collector.told == {}
        status, said = asked(url)
        assert (status, said["stored"], said["cached"], "queued" in said) == (200, 3, 5, False)
        (span,) = collector.awaited("traces")["resourceSpans"][0]["scopeSpans"][0]["spans"]
        (metric,) = collector.awaited("metrics")["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert (span["name"], "status" in span, span["traceId"]) == ("GET /", False, said["trace"])
    assert len(said["trace"]) == 32
    point = metric["sum"]["dataPoints"][0]
    assert (metric["name"], point["asInt"], metric["sum"]["aggregationTemporality"]) == ("visits", "1", CUMULATIVE)
    assert int(point["startTimeUnixNano"]) < int(span["startTimeUnixNano"]) <= int(point["timeUnixNano"])
    resource = collector.told["traces"]["resourceSpans"][0]["resource"]["attributes"]
    assert resource == [{"key": "service.name", "value": {"stringValue": "shop"}}]


def test_the_program_says_that_a_service_is_away_and_so_does_its_trace() -> None:
    with Collector() as collector, running(collector, PGHOST="nothing") as url:
        status, said = asked(url)
        assert (status, said["problem"], "stored" in said) == (503, "OSError", False)
        (span,) = collector.awaited("traces")["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["status"] == {"code": 2}


def test_the_command_says_what_it_wrote_and_what_comes_next() -> None:
    options = ("--owner", "team-shop")
    done = run_python("-m", "gitops_render", "new", "application", "shop", *options, folder=Path.cwd())
    assert done.returncode == 0, done.stderr
    *written, after = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in written if Path(line.partition(":")[0]).exists()]
    assert len(written) == len([*EXAMPLE.iterdir()]) + 1
    assert after.startswith("Next: ")

"""The example of an application as its team and its visitors have it: from `new application` to its alert, and back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from urllib3.exceptions import HTTPError

from constructs_lib.platform.valkey_operator.cluster import CONTAINER
from gitops_render.tree import render
from gitops_render.write import write
from tests.e2e.node import sandbox, visitor
from tests.e2e.node.application import CLUSTER
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.images import PYTHON
from tests.e2e.node.internet import TRACES
from tests.e2e.node.prometheus import Prometheus
from tests.e2e.node.sandbox import Sandbox
from tests.e2e.node.valkey import CLI
from tests.support import ROOT, run_python

NAME, OWNER = "shop", "team-shop"
ALERT = "AppShopAvailabilityBudgetBurn"
PASSWORDS = {f"{service}/{CLUSTER}/{NAME}": f"{service}-0123456789" for service in ("postgres", "rabbitmq")}
"""What the bootstrap makes in Vault; Valkey's operator knows one user, whose password is there."""


class Shop(NamedTuple):
    """The application, and its folder in the GitOps repository."""

    sandbox: Sandbox
    folder: Path

    @property
    def host(self) -> str:
        """Where it answers."""
        return f"{NAME}.{self.sandbox.env.domain}"

    def visit(self) -> tuple[int, dict[str, Any]]:
        """Return how it answers a visitor; 0 where nobody does, or somebody without the host's certificate."""
        try:
            status, body = visitor.ask(self.sandbox, self.host)
        except (OSError, HTTPError):
            return 0, {}
        return status, json.loads(body) if body.startswith(b"{") else {}

    def in_pod(self, namespace: str, pod: str, container: str, *command: str) -> str:
        """Return what a command prints in a pod of a service."""
        return self.sandbox.cluster.kubectl("exec", pod, "-n", namespace, "-c", container, "--", *command).strip()

    def release(self, program: str, message: str) -> None:
        """Commit another program."""
        (self.folder / "program.py").write_text(program)
        self.sandbox.follower.repository.commit(message)


@pytest.fixture(scope="module")
def shop(platform: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The application, once its host answers; in the end it is not there, as before."""
    project, repository = tmp_path_factory.mktemp("project"), platform.follower.repository
    shutil.copytree(ROOT / "environments", project / "environments")
    command = ("new", "application", NAME, "--owner", OWNER, "--tree", str(repository.folder))
    done = run_python("-m", "gitops_render", *command, folder=project)
    assert done.returncode == 0, done.stderr
    entry = yaml.safe_load((project / "environments/_shared.yaml").read_text())["applications"][NAME]
    env = sandbox.environment(applications={NAME: entry}, traces=f"https://{TRACES}")

    platform.cluster.add_images(PYTHON)
    for path, password in PASSWORDS.items():
        platform.world.write(path, password=password)
    platform.world.let_in(env)
    write(repository.folder, env.name, render(env))
    repository.commit("Add the shop")
    made = Shop(platform, repository.folder / "apps" / env.name / NAME)
    took = platform.cluster.eventually(lambda: made.visit()[0] == 200, "the example answers")
    REPORT.append(f"sandbox: the example answers {took:.0f} s after its entry was merged")
    yield made
    write(repository.folder, env.name, render(platform.env))
    shutil.rmtree(made.folder)
    repository.commit("Take the shop away")


def test_each_visit_is_stored_queued_and_cached(shop: Shop) -> None:
    (_, before), (status, after) = shop.visit(), shop.visit()
    assert status == 200
    assert {key: after[key] - before[key] for key in ("stored", "queued", "cached")} == {
        "stored": 1,
        "queued": 1,
        "cached": 1,
    }
    query, listing = ("-XAtqc", "select count(*) from visits", NAME), ("name", "type", "messages")
    assert shop.in_pod("databases", f"{CLUSTER}-1", "postgres", "psql", *query) == str(after["stored"])
    command = ("rabbitmqctl", "--quiet", "list_queues", "--no-table-headers", "-p", NAME, *listing)
    found = shop.in_pod("messaging", f"{CLUSTER}-server-0", "rabbitmq", *command)
    assert found.split() == ["visits", "quorum", str(after["queued"])]
    assert shop.in_pod("cache", f"{CLUSTER}-0", CONTAINER, *CLI, "get", f"{NAME}:visits") == str(after["cached"])


def test_each_visit_is_traced_and_counted(shop: Shop, prometheus: Prometheus) -> None:
    traces: set[bytes] = set()

    def arrived() -> bool:
        traces.add(bytes.fromhex(shop.visit()[1].get("trace", "")))
        sent = shop.sandbox.world.spans()
        return any(trace in body and NAME.encode() in body for trace in filter(None, traces) for body in sent)

    # The gateway knows a moment later who keeps traces.
    took = shop.sandbox.cluster.eventually(arrived, "a trace arrives")
    REPORT.append(f"sandbox: a trace of the example arrives after {took:.0f} s")
    found = f'visits_total{{k8s_namespace_name="{NAME}",http_response_status_code="200"}}'
    shop.sandbox.cluster.eventually(lambda: bool(prometheus.query(found)), "its visits are counted")


def test_its_alert_fires_when_it_is_broken_and_it_answers_again_once_it_is_mended(
    shop: Shop, prometheus: Prometheus
) -> None:
    assert ALERT not in prometheus.alerts()
    good = (shop.folder / "program.py").read_text()
    shop.release(good.replace('    """Store a visit', '    raise OSError("broken")\n    """Store a visit'), "Break it")
    shop.sandbox.cluster.eventually(lambda: shop.visit()[0] == 503, "the bad release answers")

    def is_visited_until(*states: str) -> bool:
        for _ in range(5):
            shop.visit()
        return ALERT in prometheus.alerts(*states)

    took = shop.sandbox.cluster.eventually(is_visited_until, "its alert is pending")
    took += shop.sandbox.cluster.eventually(partial(is_visited_until, "firing"), "its alert fires")
    REPORT.append(f"sandbox: the alert of the example fires {took:.0f} s after it was broken")
    (alert,) = (item for item in prometheus.ask("alerts")["alerts"] if item["labels"]["alertname"] == ALERT)
    assert (alert["labels"]["service"], alert["labels"]["severity"]) == (NAME, "critical")
    shop.release(good, "Mend it")
    shop.sandbox.cluster.eventually(lambda: shop.visit()[0] == 200, "it answers again")

"""Apply mode on a real API server: real OpenTofu and helm provider, stand-in charts, the platform's own objects."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from constructs_lib.environment import Environment, StackKind
from operations.clients.kubernetes import Access
from operations.clients.tofu_errors import Diagnostic, explained
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import Cloud, OpenStack, write_stack
from tests.e2e.jobs import jobs_completed
from tests.e2e.tofu import Tofu
from tests.fakes.charts import FakeCharts
from tests.support import Synthesised, environment

STATEFUL = (
    ("cluster.postgresql.cnpg.io", "main", "databases"),
    ("objectstore.barmancloud.cnpg.io", "main", "databases"),
    ("rabbitmqcluster.rabbitmq.com", "main", "messaging"),
    ("valkey.hyperspike.io", "main", "cache"),
    ("namespace", "databases", ""),
    ("namespace", "episodic", ""),
    ("externalsecret", "sops-age", "flux-system"),
)
OTHERS = (
    ("middleware.traefik.io", "security-headers", "traefik"),
    ("user.rabbitmq.com", "main-episodic", "messaging"),
    ("networkpolicy", "default-deny", "databases"),
)

OpenPlatform = Callable[[Environment], Tofu]


@pytest.fixture
def charts() -> Iterator[FakeCharts]:
    """A chart repository with a stand-in for every chart of the platform."""
    wanted = {release.chart for layer in environment().layers for release in layer.releases}
    with FakeCharts(sorted(wanted, key=str)) as repository:
        yield repository


@pytest.fixture
def open_platform(cloud: Cloud, open_stack: OpenStack, tmp_path: Path) -> OpenPlatform:
    """Return a function that puts an environment's platform stack into one folder, anew each time."""
    opened: list[Tofu] = []

    def open_in(env: Environment) -> Tofu:
        synthesised = write_stack(tmp_path / "out", StackKind.PLATFORM, env)
        stack = json.loads((synthesised / "cdk.tf.json").read_text())
        if opened:
            opened[0].write("cdk.tf.json", stack)
        else:
            opened.append(open_stack(stack, **cloud.environment(), **cloud.cluster_environment()))
            shutil.copytree(synthesised / "assets", opened[0].folder / "assets")
            opened[0].init()
        return opened[0]

    return open_in


def planned(tofu: Tofu, *arguments: str) -> dict[str, str]:
    """Return what a plan would do: the action by the release's name, without those that stay as they are."""
    tofu.run("plan", "-out=planned", *arguments)
    changes = json.loads(tofu.run("show", "-json", "planned"))["resource_changes"]
    actions = {change["address"]: "/".join(change["change"]["actions"]) for change in changes}
    return {address: action for address, action in actions.items() if action != "no-op"}


def test_it_is_planned_before_the_cluster_answers(
    cloud: Cloud, open_platform: OpenPlatform, charts: FakeCharts
) -> None:
    cloud.api.add_cluster("episodic-sandbox")
    env = environment(mode="apply", chart_mirror=charts.url)
    tofu = open_platform(env)
    stack = Synthesised(json.loads((tofu.folder / "cdk.tf.json").read_text()))
    assert planned(tofu) == dict.fromkeys(stack.addresses, "create")
    resources = json.loads(tofu.run("show", "-json", "planned"))["planned_values"]["root_module"]["resources"]
    values = {item["values"]["name"]: json.loads(item["values"]["values"][0]) for item in resources}
    for layer in env.layers:
        for release in layer.releases:
            assert values[release.name] == release.values
        if layer.manifests:
            assert [item for item in values[str(layer.id)]["objects"] if item["kind"] != "Job"] == list(layer.manifests)


def test_a_saved_plan_keeps_no_credentials_and_is_applied_with_others(
    cluster: Cluster, cloud: Cloud, open_platform: OpenPlatform, charts: FakeCharts
) -> None:
    cluster.kubectl("create", "namespace", "flux-system")
    env = environment(mode="apply", chart_mirror=charts.url)
    cloud.api.cluster_token = "of-the-plan-and-long-expired"
    tofu = open_platform(env)
    (target,) = (
        f"-target={name}"
        for name in Synthesised(json.loads((tofu.folder / "cdk.tf.json").read_text())).addresses
        if "baseline--namespaces" in name or "baseline-namespaces" in name
    )
    tofu.run("plan", "-out=planned", target)
    assert b"of-the-plan-and-long-expired" not in tofu.bytes()

    tofu.environ |= Access(cluster.url, "refused", cluster.ca.decode()).variables()
    printed = " ".join(re.sub("[│╷╵]", " ", tofu.run("apply", "planned", code=1)).split())
    problem = Diagnostic("installation failed", printed.partition("installation failed")[2])
    assert "refuses its credentials" in explained("sandbox-platform", ".", problem)

    tofu.run("plan", "-out=planned", target)
    tofu.environ |= Access(cluster.url, cluster.token, cluster.ca.decode()).variables()
    tofu.run("apply", "planned")
    assert cluster.token.encode() not in tofu.bytes()
    assert cluster.get("namespace", "databases") is not None


def test_it_is_applied_changed_and_destroyed(
    cluster: Cluster, cloud: Cloud, open_platform: OpenPlatform, charts: FakeCharts
) -> None:
    cluster.install_crds()
    cluster.kubectl("create", "namespace", "flux-system")
    cloud.api.server, cloud.api.ca, cloud.api.cluster_token = cluster.url, cluster.ca, cluster.token
    cloud.api.add_cluster("episodic-sandbox")
    env = environment(mode="apply", chart_mirror=charts.url)
    tofu = open_platform(env)
    with jobs_completed(cluster):
        tofu.apply()
    for layer in env.layers:
        for item in layer.manifests:
            assert cluster.find(item) is not None, item["metadata"]
    tofu.plan(changes=False)

    changed = open_platform(environment(mode="apply", chart_mirror=charts.url, platform__traefik={"replicas": 2}))
    names = Synthesised(json.loads((tofu.folder / "cdk.tf.json").read_text())).all("helm_release")
    (traefik,) = [name for name, release in names.items() if release["name"] == "traefik"]
    assert planned(changed) == {f"helm_release.{traefik}": "update"}

    with jobs_completed(cluster):
        tofu.destroy()
    for kind, name, namespace in STATEFUL:
        assert cluster.get(kind, name, namespace) is not None, f"{kind} {name} was destroyed"
    for kind, name, namespace in OTHERS:
        assert cluster.get(kind, name, namespace) is None, f"{kind} {name} is still there"

"""What flows goes on where it was stopped: commits when Git is back, and telemetry when its backend is."""

from __future__ import annotations

import json

from constructs_lib.kit import manifest
from constructs_lib.platform.observability.names import GATEWAY, NAMESPACE
from tests.e2e.node import network, telemetry
from tests.e2e.node.application import APP, Application, bring
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.prometheus import POD, PORT, Prometheus
from tests.e2e.node.sandbox import Sandbox
from tests.e2e.reconciler import is_ready

QUEUE = f"{GATEWAY.statefulset}-0"
POLICY = ("networkpolicy", "default-deny", "-n", "databases")
COMMITTED = "committed"


def test_flux_goes_on_without_git_and_catches_up_when_it_is_back(platform: Sandbox) -> None:
    cluster, repository = platform.cluster, platform.follower.repository

    def ready() -> set[bool]:
        found = json.loads(cluster.kubectl("get", "gitrepositories", "-n", "flux-system", "--output=json"))["items"]
        ours = [item for item in found if item["spec"]["url"] == platform.env.gitops.ssh_url]
        return {is_ready(item) for item in ours}

    with repository.away():
        cluster.eventually(lambda: ready() == {False}, "each source says that Git is away")
        cluster.kubectl("delete", *POLICY)
        platform.follower.apply_again()
        assert "NotFound" not in cluster.kubectl("get", *POLICY, code=None)
        added = bring(platform, manifest("v1", "ConfigMap", COMMITTED, APP, data={"key": "value"}))
        assert cluster.get("configmap", COMMITTED, APP) is None
    took = cluster.eventually(lambda: cluster.get("configmap", COMMITTED, APP) is not None, "the commit is applied")
    REPORT.append(f"sandbox: a commit is applied {took:.0f} s after Git is back")
    cluster.eventually(lambda: ready() == {True}, "each source is Ready again")
    repository.git("revert", "--no-edit", added)
    cluster.eventually(lambda: cluster.get("configmap", COMMITTED, APP) is None, "it is gone again")


def test_what_prometheus_does_not_take_waits_on_a_volume_and_the_alert_says_so(
    platform: Sandbox, application: Application, prometheus: Prometheus
) -> None:
    cluster = platform.cluster
    names = [f"waited_{number}" for number in range(40)]
    gateway, backend = (cluster.get("pod", pod, NAMESPACE) or {} for pod in (QUEUE, POD))
    machine = cluster.machines[gateway["spec"]["nodeName"]]
    ends = (gateway["status"]["podIP"], backend["status"]["podIP"])
    with network.apart(machine.place, *ends, PORT):
        # More than half of what fits.
        assert telemetry.send(application, names, size=65536) == {"200"}
        cluster.eventually(lambda: "CollectorQueueFills" in prometheus.alerts(), "the alert waits for its time")
        assert prometheus.query('{__name__=~"waited_.*"}') == []
    cluster.kubectl("delete", "pod", QUEUE, "-n", NAMESPACE, "--grace-period=0", "--force")

    def arrived() -> set[str]:
        return set(telemetry.labels(prometheus.query('last_over_time({__name__=~"waited_.*"}[1h])')))

    took = cluster.eventually(lambda: arrived() == set(names), "all is in Prometheus")
    REPORT.append(f"sandbox: what waited in a queue is in Prometheus after {took:.0f} s")
    cluster.eventually(lambda: "CollectorQueueFills" not in prometheus.alerts(), "the alert is over")

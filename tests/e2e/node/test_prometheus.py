"""The sandbox's Prometheus is real: it reaches whatever runs, and takes every rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import requests

from constructs_lib.platform.observability.names import NAMESPACE
from tests.e2e.cluster import BIN
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.sandbox import Sandbox

POD, PORT = "prometheus-kube-prometheus-stack-0", 9090
SCRAPED = {
    "podMonitor/cnpg-system/cloudnative-pg",
    "podMonitor/databases/main",
    "serviceMonitor/observability/kube-prometheus-stack-apiserver",
    "serviceMonitor/observability/kube-prometheus-stack-coredns",
    "serviceMonitor/observability/kube-prometheus-stack-kubelet",
    "serviceMonitor/observability/kube-prometheus-stack-operator",
    "serviceMonitor/observability/kube-prometheus-stack-prometheus",
}
"""Monitors of which Prometheus finds targets, beside those of releases that come as they are."""

Asks = Callable[[str], Any]


@pytest.fixture(scope="module")
def prometheus(platform: Sandbox) -> Asks:
    """Return a function that asks Prometheus' API for a path, as an administrator would, through its kubelet."""
    cluster = platform.cluster
    ready = ("wait", "pod", POD, "-n", NAMESPACE, "--for=condition=Ready", "--timeout=10s")
    # Its layer is Ready before: the release waits for the operator alone.
    cluster.eventually(lambda: "condition met" in cluster.kubectl(*ready, code=None), "Prometheus is Ready")
    login = ("--kubeconfig", str(cluster.kubeconfig))
    forward = ("port-forward", POD, "-n", NAMESPACE, str(PORT))
    daemon = cluster.daemons.start("port-forward", *login, *forward, program=BIN / "kubectl")
    cluster.eventually(lambda: "Forwarding" in daemon.tail(), "the port is forwarded")

    def ask(path: str) -> Any:
        answer = cluster.middle.call(partial(requests.get, f"http://127.0.0.1:{PORT}/api/v1/{path}", timeout=10))
        answer.raise_for_status()
        return answer.json()["data"]

    return ask


def test_no_target_is_down(platform: Sandbox, prometheus: Asks) -> None:
    found: list[dict[str, Any]] = []

    def down() -> dict[str, str]:
        found[:] = prometheus("targets?state=active")["activeTargets"]
        return {item["scrapeUrl"]: item["lastError"] for item in found if item["health"] != "up"}

    def pools() -> set[str]:
        return {item["scrapePool"].rpartition("/")[0] for item in found}

    try:
        platform.cluster.eventually(lambda: not down() and pools() >= SCRAPED, "every target is up")
    finally:
        REPORT.append(f"sandbox: {len(found)} targets of {len(pools())} monitors; down: {down() or 'none'}")


def test_every_rule_is_taken_and_evaluated_without_an_error(platform: Sandbox, prometheus: Asks) -> None:
    printed = platform.cluster.kubectl("get", "prometheusrules", "-A", "--output=json")
    wanted = {group["name"] for item in json.loads(printed)["items"] for group in item["spec"]["groups"]}

    def groups() -> list[dict[str, Any]]:
        return prometheus("rules")["groups"]

    def health(longest: float) -> set[str]:
        """Return the health of the rules that are evaluated that often, in seconds; others have it later."""
        return {rule["health"] for group in groups() if group["interval"] <= longest for rule in group["rules"]}

    platform.cluster.eventually(lambda: {group["name"] for group in groups()} == wanted, "every group is there")
    platform.cluster.eventually(lambda: health(60) == {"ok"}, "every rule is evaluated without an error")
    assert "err" not in health(float("inf"))
    REPORT.append(f"sandbox: {sum(len(group['rules']) for group in groups())} rules")

"""The sandbox's Prometheus is real: it reaches whatever runs, and takes every rule."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.node.conftest import REPORT
from tests.e2e.node.prometheus import Prometheus
from tests.e2e.node.sandbox import Sandbox

SCRAPED = {
    "podMonitor/cnpg-system/cloudnative-pg",
    "podMonitor/databases/main",
    "podMonitor/messaging/main-rabbitmq",
    "serviceMonitor/observability/kube-prometheus-stack-apiserver",
    "serviceMonitor/observability/kube-prometheus-stack-coredns",
    "serviceMonitor/observability/kube-prometheus-stack-kubelet",
    "serviceMonitor/observability/kube-prometheus-stack-operator",
    "serviceMonitor/observability/kube-prometheus-stack-prometheus",
    "serviceMonitor/traefik/traefik",
}
"""Monitors of which Prometheus finds targets, beside those of releases that come as they are."""

QUIET = {"Watchdog", "FluxDown"}
"""What fires where all is well: the watchdog, and since Flux' operator does not run here, what says so."""


def test_no_target_is_down(platform: Sandbox, prometheus: Prometheus) -> None:
    found: list[dict[str, Any]] = []

    def down() -> dict[str, str]:
        found[:] = prometheus.ask("targets?state=active")["activeTargets"]
        return {item["scrapeUrl"]: item["lastError"] for item in found if item["health"] != "up"}

    def pools() -> set[str]:
        return {item["scrapePool"].rpartition("/")[0] for item in found}

    try:
        platform.cluster.eventually(lambda: not down() and pools() >= SCRAPED, "every target is up")
    finally:
        REPORT.append(f"sandbox: {len(found)} targets of {len(pools())} monitors; down: {down() or 'none'}")


def test_nothing_is_on_fire_when_all_has_just_come_up(prometheus: Prometheus) -> None:
    firing = prometheus.alerts("firing")
    REPORT.append(f"sandbox: alerts that fire: {', '.join(sorted(firing)) or 'none'}")
    assert firing <= QUIET


def test_every_rule_is_taken_and_evaluated_without_an_error(platform: Sandbox, prometheus: Prometheus) -> None:
    printed = platform.cluster.kubectl("get", "prometheusrules", "-A", "--output=json")
    wanted = {group["name"] for item in json.loads(printed)["items"] for group in item["spec"]["groups"]}

    def groups() -> list[dict[str, Any]]:
        return prometheus.ask("rules")["groups"]

    def health(longest: float) -> set[str]:
        """Return the health of the rules that are evaluated that often, in seconds; others have it later."""
        return {rule["health"] for group in groups() if group["interval"] <= longest for rule in group["rules"]}

    platform.cluster.eventually(lambda: {group["name"] for group in groups()} == wanted, "every group is there")
    platform.cluster.eventually(lambda: health(60) == {"ok"}, "every rule is evaluated without an error")
    assert "err" not in health(float("inf"))
    REPORT.append(f"sandbox: {sum(len(group['rules']) for group in groups())} rules")

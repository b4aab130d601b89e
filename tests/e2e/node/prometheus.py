"""The images with which Prometheus really runs, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import requests

from constructs_lib.kit import Manifest
from constructs_lib.platform.observability.names import NAMESPACE
from tests.e2e.node import charts
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.images import Image

POD, PORT = "prometheus-kube-prometheus-stack-0", 9090


def operands(items: list[Manifest]) -> Iterator[Image]:
    """Yield the images of what the operator makes."""
    for item in items:
        if item["kind"] == "Prometheus":
            # Its data is at /prometheus.
            yield Image(item["spec"]["image"], "prometheus", files=("bin/prometheus",))
        elif item["kind"] == "Alertmanager":
            yield Image(item["spec"]["image"])
    for name in charts.named(items, "--prometheus-config-reloader"):
        yield Image(name, "prometheus-config-reloader", files=("bin/prometheus-config-reloader",))


class Prometheus:
    """The API of the cluster's Prometheus, asked from its machine."""

    def __init__(self, cluster: NodeCluster) -> None:
        self._cluster = cluster

    def await_ready(self) -> None:
        """Wait until it answers."""
        ready = ("wait", "pod", POD, "-n", NAMESPACE, "--for=condition=Ready", "--timeout=10s")
        self._cluster.eventually(
            lambda: "condition met" in self._cluster.kubectl(*ready, code=None), "Prometheus is Ready"
        )

    def ask(self, path: str) -> Any:
        """Return what it answers on a path."""

        def get(address: str) -> requests.Response:
            with requests.Session() as session:
                session.trust_env = False
                return session.get(f"http://{address}:{PORT}/api/v1/{path}", timeout=60)

        answer = self._cluster.from_machine(NAMESPACE, POD, get)
        answer.raise_for_status()
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what a query finds now."""
        return self.ask(f"query?query={quote(expression, safe='')}")["result"]

    def alerts(self, *states: str) -> set[str]:
        """Return the name of each alert that fires, or will when its condition has held for long enough (`pending`)."""
        found = self.ask("alerts")["alerts"]
        return {item["labels"]["alertname"] for item in found if not states or item["state"] in states}

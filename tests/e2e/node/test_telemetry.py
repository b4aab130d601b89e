"""The gateway's collector is real: what an application measures arrives in Prometheus, and says whose it is."""

from __future__ import annotations

from tests.e2e.node import telemetry
from tests.e2e.node.application import APP, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.prometheus import Prometheus
from tests.e2e.node.sandbox import Sandbox


def test_a_metric_arrives_with_its_namespace_and_pod(
    platform: Sandbox, application: Application, prometheus: Prometheus
) -> None:
    # Network policies know a new pod a moment after it is Ready.
    platform.cluster.eventually(lambda: telemetry.send(application, ["told"], code=None) == {"200"}, "it is taken")
    found: dict[str, dict[str, str]] = {}

    def arrived() -> bool:
        found.update(telemetry.labels(prometheus.query("told")))
        return bool(found)

    took = platform.cluster.eventually(arrived, "it is in Prometheus")
    REPORT.append(f"sandbox: a metric is in Prometheus after {took:.0f} s")
    wanted = {"k8s_namespace_name": APP, "k8s_pod_name": "client", "deployment_environment_name": platform.env.name}
    assert found["told"].items() >= wanted.items()

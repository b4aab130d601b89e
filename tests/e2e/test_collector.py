"""The collectors' configurations in a real collector: accepted, and nothing is lost while a backend is away."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.environment import Environment, load_all
from constructs_lib.platform.observability.collector_config import agent_config, gateway_config
from gitops_render.example import FILES
from tests.e2e.collector import Collector, validate
from tests.e2e.conftest import require
from tests.fakes.otlp import FakeBackend
from tests.fakes.server import Fault
from tests.support import ROOT, environment, everything

METRICS = ROOT / "tests/constructs_lib/platform/observability/metrics"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SECOND = 10**9


@pytest.fixture(autouse=True)
def otelcol() -> None:
    require("otelcol")


def telemetry(**traces: Any) -> Environment:
    """Return an environment whose every backend speaks OTLP over HTTP, so that one server can be all of them."""
    return environment(
        platform__observability__traces={"backend": "otlp", "otlp": _at("traces"), **traces},
        platform__observability__logs={"backend": "otlp", "otlp": _at("logs")},
    )


def _at(host: str) -> dict[str, Any]:
    return {"endpoint": f"https://{host}.example.org", "headers": ["x-api-key"]}


ENVIRONMENTS = [*load_all(ROOT / "environments"), everything(), telemetry()]


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=["sandbox", "staging", "production", "everything", "otlp"])
def test_the_collector_accepts_the_gateways_configuration(env: Environment, tmp_path: Path) -> None:
    result = validate(gateway_config(env), tmp_path)
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stdout + result.stderr


def test_the_collector_accepts_the_agents_configuration(tmp_path: Path) -> None:
    result = validate(agent_config(environment()), tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_check_can_fail(tmp_path: Path) -> None:
    config = gateway_config(everything())
    config["exporters"]["opensearch"]["logs_idx"] = "logs"
    assert "logs_idx" in validate(config, tmp_path).stderr


def resource(name: str) -> dict[str, Any]:
    return {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]}


def span(name: str, number: int, kind: int, parent: int | None = None, **more: Any) -> dict[str, Any]:
    now = time.time_ns()
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(now - SECOND),
        "endTimeUnixNano": str(now),
        **more,
    }


def spans(service: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": resource(service), "scopeSpans": [{"spans": list(items)}]}]}


def log(text: str) -> dict[str, Any]:
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text}}
    return {"resourceLogs": [{"resource": resource("shop"), "scopeLogs": [{"logRecords": [record]}]}]}


def point(name: str) -> dict[str, Any]:
    gauge = {"name": name, "gauge": {"dataPoints": [{"timeUnixNano": str(time.time_ns()), "asInt": "1"}]}}
    return {"resourceMetrics": [{"resource": resource("shop"), "scopeMetrics": [{"metrics": [gauge]}]}]}


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.2)


def test_an_outage_and_a_crash_lose_nothing(tmp_path: Path) -> None:
    with FakeBackend() as backend:
        backend.faults = [Fault("POST", ".*", times=float("inf"), status=503, message="down")]
        collector = Collector(gateway_config(telemetry()), tmp_path, backend.url)
        with collector:
            for number in range(20):
                collector.send("logs", log(f"line {number}"))
                collector.send("metrics", point(f"metric_{number}"))
                collector.send("traces", spans("shop", span(f"span {number}", number + 1, 2)))
            asked = {"/v1/logs", "/v1/traces", "/api/v1/otlp/v1/metrics"}
            eventually(lambda: asked <= {request.path for request in backend.requests})
            # A batch is in memory alone; a span is in three: on its way to the gateway of its trace, there, and kept.
            eventually(lambda: batched(collector) == (1 + 1 + 3) * 20)
            time.sleep(1)
            collector.kill()
        assert not backend.taken
        backend.faults.clear()
        with collector:
            eventually(lambda: len(names(backend, "traces")) == len(names(backend, "logs")) == 20)
            eventually(lambda: {f"metric_{number}" for number in range(20)} <= names(backend, "metrics"))
        assert backend.keys == {"logs": {"key of logs"}, "traces": {"key of traces"}, "metrics": {None}}


def batched(collector: Collector) -> int:
    """Return how many items have left a batch."""
    found = re.findall(r"^otelcol_processor_batch_batch_send_size_sum\S* (\d+)$", collector.metrics(), re.MULTILINE)
    return sum(map(int, found))


def names(backend: FakeBackend, signal: str) -> set[str]:
    return {item.get("name") or item["body"]["stringValue"] for item, _ in backend.arrived(signal)}


def test_spans_become_metrics_and_a_graph_of_services(tmp_path: Path) -> None:
    env = telemetry(sampling={"percent": 1e-9, "slower_than_ms": 60000})
    with FakeBackend() as backend, Collector(gateway_config(env), tmp_path, backend.url) as collector:
        collector.send("traces", spans("shop", span("GET /", 1, 2), span("query", 2, 3, parent=1)))
        collector.send("traces", spans("database", span("query", 3, 2, parent=2, status={"code": 2})))
        wanted = {*listed("span_metrics")}
        eventually(lambda: wanted <= {stored for item, _ in backend.arrived("metrics") for stored in as_stored(item)})
        about = [attributes for item, attributes in backend.arrived("metrics") if item["name"].startswith("traces")]
        assert {attributes["collector.instance.id"] for attributes in about} == {"gateway-collector-0"}
        # An error keeps the whole trace, however few are kept otherwise.
        eventually(lambda: len(names(backend, "traces")) >= 2)
        assert all(attributes["deployment.environment.name"] == "test" for _, attributes in backend.arrived("traces"))
        assert set(listed("collector")) >= {
            line.split("{")[0] for line in collector.metrics().splitlines() if line.startswith("otelcol_exporter")
        }


def test_a_trace_that_is_neither_slow_nor_failed_is_dropped_by_sampling(tmp_path: Path) -> None:
    env = telemetry(sampling={"percent": 1e-9, "slower_than_ms": 60000})
    with FakeBackend() as backend, Collector(gateway_config(env), tmp_path, backend.url) as collector:
        collector.send("traces", spans("shop", span("GET /", 1, 2)))
        eventually(lambda: "traces.span.metrics.calls" in names(backend, "metrics"))
        assert not names(backend, "traces")


def test_what_the_example_of_an_application_tells_is_taken(tmp_path: Path) -> None:
    for name in ("program.py", "clients.py"):
        (tmp_path / name).write_text((FILES / f"{name}.txt").read_text())
    code = f"import program\nfor number in (1, 2): program.tell('{TRACE}', '/', 503, {SECOND}, 2 * {SECOND})"
    with FakeBackend() as backend, Collector(gateway_config(telemetry()), tmp_path, backend.url) as collector:
        told = {"OTEL_SERVICE_NAME": "shop", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address}
        environ = {"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(tmp_path / "ca.crt"), **told}
        done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, text=True)  # noqa: PLW1510
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        eventually(lambda: len([*backend.arrived("traces")]) == 2)
        eventually(lambda: "visits" in names(backend, "metrics"))
        for item, attributes in backend.arrived("traces"):
            assert (item["name"], item["traceId"], item["status"]["code"]) == ("GET /", TRACE, 2)
            assert attributes["service.name"] == "shop"
        visits = [item["sum"] for item, _ in backend.arrived("metrics") if item["name"] == "visits"]
        assert {one["aggregationTemporality"] for one in visits} == {2}
        assert {point["asInt"] for one in visits for point in one["dataPoints"]} <= {"1", "2"}


def listed(exporter: str) -> list[str]:
    """Return the metrics in the list of an exporter."""
    return yaml.safe_load((METRICS / f"{exporter}.yaml").read_text())["metrics"]


def as_stored(metric: dict[str, Any]) -> set[str]:
    """Return the names under which Prometheus' OTLP receiver stores a metric (docs/guides/opentelemetry.md)."""
    name = metric["name"].replace(".", "_") + {"s": "_seconds"}.get(metric.get("unit", ""), "")
    if "histogram" in metric:
        return {f"{name}_{part}" for part in ("bucket", "count", "sum")}
    counts = metric.get("sum", {}).get("isMonotonic")
    return {f"{name}_total" if counts and not name.endswith("_total") else name}


def test_a_signal_without_a_backend_is_taken_all_the_same(tmp_path: Path) -> None:
    with FakeBackend() as backend, Collector(gateway_config(environment()), tmp_path, backend.url) as collector:
        collector.send("logs", log("line"))
        collector.send("traces", spans("shop", span("GET /", 1, 2)))
    assert json.dumps(backend.taken) == "[]"

"""Metrics as an application sends them to the gateway: OTLP in JSON over HTTPS, with the CA of its namespace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from constructs_lib.platform.observability.names import GATEWAY_HOST, OTLP_HTTP
from tests.e2e.node.application import APP, CA, Application

SEND = """
import json, ssl, time, urllib.request
trusted = ssl.create_default_context(cafile={ca!r})
for name in {names!r}:
    now = str(time.time_ns())
    gauge = {{"dataPoints": [{{"asDouble": 1, "timeUnixNano": now}}]}}
    metric = {{"name": name, "gauge": gauge, "description": "x" * {size}}}
    service = {{"key": "service.name", "value": {{"stringValue": {app!r}}}}}
    resource = {{"attributes": [service]}}
    body = {{"resourceMetrics": [{{"resource": resource, "scopeMetrics": [{{"metrics": [metric]}}]}}]}}
    request = urllib.request.Request({url!r}, json.dumps(body).encode(), {{"Content-Type": "application/json"}})
    with urllib.request.urlopen(request, context=trusted, timeout=60) as answer:
        print(answer.status)
"""


def send(application: Application, names: Iterable[str], *, size: int = 0, code: int | None = 0) -> set[str]:
    """Let the application send a metric of each name, `size` bytes large, and return what was printed."""
    url = f"https://{GATEWAY_HOST}:{OTLP_HTTP}/v1/metrics"
    program = SEND.format(ca=CA, names=list(names), size=size, app=APP, url=url)
    return set(application.python(program, code_of_exit=code).splitlines())


def labels(result: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the labels of each metric that a query found, by its name."""
    return {item["metric"]["__name__"]: item["metric"] for item in result}

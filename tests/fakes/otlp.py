"""A backend of telemetry: takes OTLP over HTTP in JSON, as a collector sends it where it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import request

from tests.fakes.server import FakeServer

PARTS = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}


class FakeBackend(FakeServer):
    """Keeps every span, metric and log record that arrives at `/v1/<signal>` below any path, and each signal's keys."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.keys: dict[str, set[str | None]] = {}
        self.app.add_url_rule("/<path:prefix>/<signal>", view_func=self._take, methods=["POST"])

    def _take(self, prefix: str, signal: str) -> dict[str, Any]:
        self.keys.setdefault(signal, set()).add(request.headers.get("x-api-key"))
        self.taken.append((signal, request.get_json()))
        return {}

    def arrived(self, signal: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield every item of a signal that was accepted, with the attributes of its resource."""
        resources, scopes, items = PARTS[signal]
        for resource in (item for kind, body in self.taken if kind == signal for item in body[resources]):
            about = {pair["key"]: next(iter(pair["value"].values())) for pair in resource["resource"]["attributes"]}
            for scope in resource[scopes]:
                yield from ((item, about) for item in scope[items])

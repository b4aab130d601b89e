"""Alerts, as rules of Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from constructs_lib.kit import Manifest

Severity = Literal["critical", "warning", "none"]
"""Who hears of it: somebody at once, the team in its working hours, or only the dead man's switch."""


@dataclass(frozen=True)
class Alert:
    """An alert that fires when `expr` (PromQL) has had a result for the time `hold` (a Go duration).

    `summary` may use the labels of the result in Prometheus' templates; `runbook` is a page of docs/runbooks without
    its ending, or an address.
    """

    name: str
    expr: str
    summary: str
    runbook: str
    severity: Severity = "warning"
    hold: str = "5m"

    def rule(self, service: str, runbooks: str, **labels: str) -> Manifest:
        """Return the alerting rule; `runbooks` is the address of the folder with the pages."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.hold,
            "labels": {"severity": self.severity, "service": service, **labels},
            "annotations": {"summary": self.summary, "runbook_url": self._runbook_url(runbooks)},
        }

    def _runbook_url(self, runbooks: str) -> str:
        return self.runbook if self.runbook.startswith("https://") else f"{runbooks}/{self.runbook}.md"

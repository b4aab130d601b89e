"""What each component's folder of tests holds: charts that were looked up, metrics of its exporters, alert cases."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from constructs_lib.platform import Platform
from tests.constructs_lib.health.series import Objective, Raised

FOLDER = Path(__file__).parent
COMPONENTS = tuple(Platform.model_fields)


def cases(component: str) -> Any:
    """Return the module with the cases of a component."""
    return import_module(f"{__package__}.{component}.cases")


def looked_up(component: str) -> dict[str, dict[str, Any]]:
    """Return the values that were looked up, by chart; none for a component without a chart."""
    path = FOLDER / component / "chart_values.json"
    return json.loads(path.read_text()) if path.exists() else {}


def metric_files(component: str) -> list[Path]:
    """Return the files with the metrics of a component's exporters."""
    return [*(FOLDER / component).glob("metrics.yaml"), *(FOLDER / component).glob("metrics/*.yaml")]


def metrics(path: Path) -> list[str]:
    """Return the metrics of an exporter."""
    return yaml.safe_load(path.read_text())["metrics"]


SLOS: dict[str, Objective] = {
    name: case for component in COMPONENTS for name, case in cases(component).SLOS.items()
} | cases("observability").ADDITIONAL
ALERTS: dict[str, Raised] = {name: case for component in COMPONENTS for name, case in cases(component).ALERTS.items()}
KNOWN_METRICS = {
    name: path.name for component in COMPONENTS for path in metric_files(component) for name in metrics(path)
}

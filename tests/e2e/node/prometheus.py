"""The images with which Prometheus really runs."""

from __future__ import annotations

from collections.abc import Iterator

from constructs_lib.kit import Manifest
from tests.e2e.node.images import Image

RELOADER = "--prometheus-config-reloader="
"""The argument by which the operator is told of the image beside Prometheus."""


def operands(items: list[Manifest]) -> Iterator[Image]:
    """Yield the images of what the operator makes."""
    for item in items:
        if item["kind"] == "Prometheus":
            # Its data is at /prometheus.
            yield Image(item["spec"]["image"], "prometheus", files=("bin/prometheus",))
        elif item["kind"] == "Deployment":
            containers = item["spec"]["template"]["spec"]["containers"]
            arguments = [argument for container in containers for argument in container.get("args", ())]
            named = (argument.removeprefix(RELOADER) for argument in arguments if argument.startswith(RELOADER))
            for name in named:
                yield Image(name, "prometheus-config-reloader", files=("bin/prometheus-config-reloader",))

"""What applications ask of the platform and of each other, in sentences where that cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from constructs_lib.applications import Application
from constructs_lib.base.errors import unknown
from constructs_lib.platform import Platform

SERVICES = {"postgres": "cloudnative_pg", "rabbitmq": "rabbitmq_operator", "valkey": "valkey_operator"}
"""The component that has the clusters of each service."""


def problems(applications: Mapping[str, Application], platform: Platform) -> Iterator[str]:
    """Yield a sentence for each thing that an application names and that is not there."""
    for name, app in applications.items():
        where = f"applications.{name}.uses"
        for service, component in SERVICES.items():
            for cluster in getattr(app.uses, service):
                if problem := platform.no_cluster(component, cluster):
                    yield f"{where}.{service}.{cluster}: {problem}"
        others = [other for other in applications if other != name]
        for called in app.uses.calls:
            if called not in others:
                yield f"{where}.calls: {unknown('other application', called, others)}"

"""Observability, OpenTelemetry first: metrics, traces and logs, each with a backend that an environment chooses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from constructs_lib.base.change import FREE, FREELY, Change, replaces, rolls
from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import Layer, LayerId, Link, Manifest, Workload, namespace
from constructs_lib.platform import cert_manager
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.component import Component
from constructs_lib.platform.observability import rules, telemetry
from constructs_lib.platform.observability.alerting import Alerting
from constructs_lib.platform.observability.collector_objects import gateway_and_agents
from constructs_lib.platform.observability.collectors import Collectors
from constructs_lib.platform.observability.influxdb import Influxdb
from constructs_lib.platform.observability.logs import Logs
from constructs_lib.platform.observability.metrics import Metrics
from constructs_lib.platform.observability.names import AGENTS, GATEWAY, GRAFANA, NAMESPACE
from constructs_lib.platform.observability.part import Part
from constructs_lib.platform.observability.slos import Slos
from constructs_lib.platform.observability.traces import Traces
from constructs_lib.platform.vault_eso import SECRETS_READY, STORE

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CONTROLLERS = LayerId("observability", "controllers")
CREDENTIALS = LayerId("observability", "credentials")
BACKENDS = LayerId("observability", "backends")
COLLECTORS = LayerId("observability", "collectors")
HEALTH = LayerId("observability", "health")


class Observability(Component):
    """Metrics, traces and logs. Applications send OTLP to the gateway; agents read what pods print.

    ```yaml
    observability:
      metrics: {retention: 15d, storage: 50Gi}
      traces: {backend: tempo, bucket: {bucket: episodic-traces, region: lon1}}
      logs: {backend: opensearch, nodes: 3}
      alerting:
        receivers: [{name: on-call, type: pagerduty}]
        critical: [on-call]
      slos: {objectives: {traefik-latency: 95}}
    ```
    """

    enabled: Annotated[
        bool, Change(FREE, removed=replaces("every metric, trace and log of the cluster, and every alert"))
    ] = Field(default=True, description="Whether the environment has this component.")
    metrics: Metrics = Metrics()
    traces: Traces = Traces()
    logs: Logs = Logs()
    influxdb: Influxdb = Influxdb()
    collectors: Collectors = Collectors()
    alerting: Annotated[Alerting, Change(rolls("Alertmanager"))] = Alerting()
    slos: Annotated[Slos, FREELY] = Slos()

    operators: ClassVar = tuple(
        operator for part in (Metrics, Traces, Logs, Influxdb, Collectors) for operator in part.operators
    )

    @property
    def has_metrics(self) -> bool:
        """Whether Prometheus runs and looks for monitors."""
        return self.enabled and self.metrics.is_on

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that are on, by their key, in the order of the fields."""
        fields = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: part for name, part in fields if isinstance(part, Part) and part.is_on}

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespaces of the backends, of the collector's operator, and of what reads the nodes."""
        yield namespace(NAMESPACE, "baseline")
        yield namespace(AGENTS, "privileged", why="agents read the logs and counters of the node they run on")

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the links of every part that is on."""
        return (link for part in self.parts.values() for link in part.links(env))

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of every part that is on."""
        return (item for part in self.parts.values() for item in part.workloads(env))

    def health(self, env: Environment) -> Health:
        """Return what is known about the collectors and the backends that run in the cluster."""
        backends = {name: part.watched for name, part in self.parts.items() if part.watched is not None}
        return telemetry.of(GATEWAY, GRAFANA, backends)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield operators, credentials, backends, then collectors. Applications never wait for any of them."""
        parts = self.parts.values()
        controllers = tuple(item for part in parts for item in part.controllers(env))
        credentials = tuple(item for part in parts for item in part.credentials(env))
        backends = tuple(item for part in parts for item in part.backends(env))
        after, issued = (*BASELINE, cert_manager.CONTROLLERS), cert_manager.CERTIFICATES_READY
        if credentials:
            yield Layer(
                CREDENTIALS, credentials, after=(STORE,), timeout=Minutes("5m"), ready=SECRETS_READY, blocks_apps=False
            )
            after = (*after, CREDENTIALS)
        yield Layer(
            CONTROLLERS,
            controllers,
            after=after,
            timeout=Minutes("15m"),
            ready=(*issued, *(condition for part in parts for condition in part.ready)),
            blocks_apps=False,
        )
        ready = (CONTROLLERS, cert_manager.ISSUERS)
        if backends:
            yield Layer(BACKENDS, backends, after=ready, timeout=Minutes("20m"), ready=issued, blocks_apps=False)
            ready = (BACKENDS,)
        yield Layer(COLLECTORS, tuple(gateway_and_agents(env)), after=ready, ready=issued, blocks_apps=False)
        if self.has_metrics:
            yield Layer(
                HEALTH, tuple(rules.objects(env)), after=(CONTROLLERS,), timeout=Minutes("5m"), blocks_apps=False
            )

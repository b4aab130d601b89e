"""InfluxDB, optional: keeps metrics longer than Prometheus does.

Upstream: influxdata/helm-charts influxdb2-2.1.2 `charts/influxdb2/values.yaml`. One pod by design.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from constructs_lib.base.change import FREE, VOLUME_STAYS, Change, replaces
from constructs_lib.base.quantities import Days, Memory, Storage
from constructs_lib.kit import (
    ON_SYSTEM_POOL,
    Chart,
    Link,
    Manifest,
    Release,
    StatefulSet,
    Values,
    Workload,
    resources,
    workload,
)
from constructs_lib.platform.observability.names import GATEWAY, NAMESPACE
from constructs_lib.platform.observability.part import Part
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("https://helm.influxdata.com/", "influxdb2", "2.1.2")
SECRET = "influxdb-admin"  # noqa: S105 - a name
ORGANISATION = "platform"
BUCKET = "metrics"
USER = 1000
"""The user and group of the image (influxdata/influxdata-docker `influxdb/2.7/alpine/Dockerfile`)."""
URL = f"http://influxdb2.{NAMESPACE}.svc"
PODS = StatefulSet(NAMESPACE, "influxdb2", {"app.kubernetes.io/name": "influxdb2"}, statefulset="influxdb2")


class Influxdb(Part):
    """A long-term store of the metrics that applications send by OTLP."""

    enabled: Annotated[bool, Change(FREE, removed=replaces("the long-lived metrics"))] = False
    retention: Annotated[Days, Change(FREE, smaller=replaces("metrics that are older"))] = Field(
        default=Days("365d"), description="How long metrics are kept."
    )
    storage: Annotated[Storage, VOLUME_STAYS] = Storage("50Gi")
    memory: Memory = Memory("1Gi")

    @property
    def is_on(self) -> bool:
        """Whether InfluxDB runs in the cluster."""
        return self.enabled

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the way of the gateway to it."""
        yield Link(GATEWAY, PODS, (8086,))

    def credentials(self, env: Environment) -> Iterator[Manifest]:
        """Yield the administrator's password and token."""
        keys = {"admin-password": "password", "admin-token": "token"}
        yield external_secret(env, SECRET, NAMESPACE, InVault("influxdb", keys))

    def backends(self, env: Environment) -> Iterator[Release]:
        """Yield the chart."""
        yield Release("influxdb2", NAMESPACE, CHART, _values(env, self), stateful=True)

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the one pod."""
        for values in env.rendered.values("influxdb2"):
            yield workload(NAMESPACE, "StatefulSet/influxdb2", values, volumes=1)

    @property
    def watched(self) -> StatefulSet:
        """The pods of InfluxDB."""
        return PODS


def _values(env: Environment, settings: Influxdb) -> Values:
    admin = {
        "organization": ORGANISATION,
        "bucket": BUCKET,
        "user": "admin",
        "retention_policy": settings.retention.as_hours,
        "existingSecret": SECRET,
    }
    return {
        **ON_SYSTEM_POOL,
        "adminUser": admin,
        "persistence": {"enabled": True, "storageClass": env.cluster.kept_storage_class, "size": settings.storage},
        "resources": resources("100m", settings.memory),
        "securityContext": {
            "runAsUser": USER,
            "runAsGroup": USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # A budget of one pod out of one would keep its node from ever being drained.
        "pdb": {"create": False},
    }

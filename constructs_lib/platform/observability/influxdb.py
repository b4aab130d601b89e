"""InfluxDB, optional: keeps metrics longer than Prometheus does.

Upstream: influxdata/helm-charts influxdb2-2.1.2 `charts/influxdb2/values.yaml`. One pod by design.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from constructs_lib.base.quantities import Days, Memory, Storage
from constructs_lib.base.settings import Settings
from constructs_lib.kit import ON_SYSTEM_POOL, Chart, Link, Pods, Release, Values, resources
from constructs_lib.platform.observability.names import GATEWAY, NAMESPACE, Part
from constructs_lib.platform.observability.telemetry import Backend
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("https://helm.influxdata.com/", "influxdb2", "2.1.2")
SECRET = "influxdb-admin"  # noqa: S105 - a name
ORGANISATION = "platform"
BUCKET = "metrics"
URL = f"http://influxdb2.{NAMESPACE}.svc"
PODS = Pods(NAMESPACE, "influxdb2", {"app.kubernetes.io/name": "influxdb2"})


class Influxdb(Settings):
    """A long-term store of the metrics that applications send by OTLP."""

    enabled: bool = False
    retention: Days = Field(default=Days("365d"), description="How long metrics are kept.")
    storage: Storage = Storage("50Gi")
    memory: Memory = Memory("1Gi")


def is_on(env: Environment) -> bool:
    """Return whether the environment has InfluxDB."""
    return env.platform.observability.influxdb.enabled


def part(env: Environment) -> Part:
    """Return the chart, with the administrator's password and token."""
    if not is_on(env):
        return Part()
    keys = {"admin-password": "password", "admin-token": "token"}
    return Part(
        links=(Link(GATEWAY, PODS, (8086,)),),
        credentials=(external_secret(env, SECRET, NAMESPACE, InVault("influxdb", keys)),),
        backends=(Release("influxdb2", NAMESPACE, CHART, _values(env.platform.observability.influxdb), stateful=True),),
        backend=Backend("influxdb", "influxdb2", 1),
    )


def _values(settings: Influxdb) -> Values:
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
        "persistence": {"enabled": True, "storageClass": "do-block-storage-retain", "size": settings.storage},
        "resources": resources("100m", settings.memory),
        # A budget of one pod out of one would keep its node from ever being drained.
        "pdb": {"create": False},
    }

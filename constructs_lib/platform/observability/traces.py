"""Traces: Tempo on Spaces, or any endpoint that takes OTLP.

Upstream: grafana-community/helm-charts tempo-2.2.4 `charts/tempo/values.yaml`, grafana/tempo 2.10
`docs/sources/tempo/configuration` and `modules/distributor/receiver/shim.go` (receivers are those of the collector).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.base.bucket import Bucket, BucketPurpose
from constructs_lib.base.change import FREE, VOLUME_STAYS, Change, replaces, rolls
from constructs_lib.base.quantities import Days, Memory, Storage
from constructs_lib.base.settings import Settings
from constructs_lib.kit import (
    CONFINED,
    HTTPS,
    INTERNET,
    ON_SYSTEM_POOL,
    Chart,
    Link,
    Manifest,
    Release,
    StatefulSet,
    Values,
    Workload,
    at,
    resources,
    workload,
)
from constructs_lib.platform.cert_manager import certificate
from constructs_lib.platform.observability.names import (
    GATEWAY,
    GRAFANA,
    NAMESPACE,
    OTLP_GRPC,
    TLS_MOUNT,
    go_memory_limit,
    otlp_server,
)
from constructs_lib.platform.observability.otlp import Otlp
from constructs_lib.platform.observability.part import Part
from constructs_lib.platform.scrape import scraped
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("oci://ghcr.io/grafana-community/helm-charts", "tempo", "2.2.4")
SECRET = "tempo-bucket"  # noqa: S105 - a name
CERTIFICATE = "tempo-tls"
DATA = "/var/tempo"
"""Where the chart mounts the volume."""
PORT = 3200
"""Where Tempo answers queries, and shows its own metrics."""
URL = f"http://tempo:{PORT}"
ENDPOINT = f"tempo.{NAMESPACE}.svc:{OTLP_GRPC}"
PODS = StatefulSet(NAMESPACE, "tempo", {"app.kubernetes.io/name": "tempo"}, statefulset="tempo")


class Sampling(Settings):
    """Which traces are kept: every one with an error, every slow one, and some of the others."""

    percent: float = Field(gt=0, lt=100, description="How many of the others, in percent.")
    slower_than_ms: int = Field(default=1000, ge=1, description="From which duration on a trace counts as slow.")


class Traces(Part):
    """Where traces go."""

    backend: Annotated[Literal["none", "tempo", "otlp"], Change(replaces("the traces that the old backend has"))] = (
        "none"
    )
    bucket: Annotated[Bucket | None, Change(replaces("the traces in the old bucket"), added=FREE)] = Field(
        default=None, description="The bucket of, and only of, tempo; the state stack makes it."
    )
    otlp: Otlp | None = Field(default=None, description="Where, and only where, backend otlp sends to.")
    retention: Annotated[Days, Change(rolls("Tempo"), smaller=replaces("traces that are older"))] = Days("3d")
    storage: Annotated[Storage, VOLUME_STAYS] = Field(
        default=Storage("5Gi"), description="Volume for traces that are not in the bucket yet."
    )
    memory: Memory = Memory("1Gi")
    sampling: Sampling | None = Field(default=None, description="Without it every trace is kept.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for key, backend in (("bucket", "tempo"), ("otlp", "otlp")):
            if (getattr(self, key) is not None) != (self.backend == backend):
                raise ValueError(
                    f"{key} belongs to backend {backend}, found backend {self.backend}; set both or neither"
                )
        return self

    @property
    def is_on(self) -> bool:
        """Whether Tempo runs in the cluster."""
        return self.backend == "tempo"

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways to Tempo, and on to its bucket."""
        yield Link(GATEWAY, PODS, (OTLP_GRPC,))
        yield Link(PODS, INTERNET, HTTPS)
        if env.platform.observability.has_metrics:
            yield Link(GRAFANA, PODS, (PORT,))
        yield from scraped(env, PODS, PORT)

    def credentials(self, env: Environment) -> Iterator[Manifest]:
        """Yield the key of the bucket."""
        keys = {"S3_ACCESS_KEY": "access_key_id", "S3_SECRET_KEY": "secret_access_key"}
        yield external_secret(env, SECRET, NAMESPACE, InVault(BucketPurpose.TRACES, keys))

    def backends(self, env: Environment) -> Iterator[Release | Manifest]:
        """Yield Tempo, and the certificate of its OTLP receiver."""
        yield certificate(CERTIFICATE, NAMESPACE, ("tempo",))
        if self.bucket is not None:
            yield Release("tempo", NAMESPACE, CHART, _values(env, self, self.bucket))

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the one pod of Tempo."""
        for values in env.rendered.values("tempo"):
            yield workload(NAMESPACE, "StatefulSet/tempo", values, at(values, "tempo.resources"), volumes=1)

    @property
    def watched(self) -> StatefulSet:
        """The pods of Tempo."""
        return PODS


def _values(env: Environment, settings: Traces, bucket: Bucket) -> Values:
    tempo = {
        "resources": resources("100m", settings.memory),
        "securityContext": CONFINED,
        # A ballast is memory that is never used; what it was for, the limit does.
        "memBallastSizeMbs": 0,
        "extraEnv": [go_memory_limit(settings.memory)],
        "extraArgs": {"config.expand-env": "true"},
        "extraEnvFrom": [{"secretRef": {"name": SECRET}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": TLS_MOUNT, "readOnly": True}],
    }
    return {
        **ON_SYSTEM_POOL,
        "tempo": tempo,
        "config": json.dumps(config(settings, bucket), indent=1),
        "persistence": {"enabled": True, "size": settings.storage, "storageClassName": env.cluster.storage_class},
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "serviceAccount": {"automountServiceAccountToken": False},
        "serviceMonitor": {"enabled": env.platform.observability.has_metrics},
        "extraVolumes": [{"name": "tls", "secret": {"secretName": CERTIFICATE}}],
    }


def config(settings: Traces, bucket: Bucket) -> Manifest:
    """Return the whole of Tempo's configuration.

    The chart's own opens OTLP over HTTP and four protocols of Jaeger in clear text, and a chart without these
    receivers in its values does not render (`templates/_ports.tpl`).
    """
    s3 = {
        "bucket": bucket.bucket,
        "endpoint": bucket.host,
        "access_key": "${S3_ACCESS_KEY}",
        "secret_key": "${S3_SECRET_KEY}",
    }
    return {
        "server": {"http_listen_port": PORT},
        "distributor": {"receivers": {"otlp": {"protocols": {"grpc": otlp_server(OTLP_GRPC)}}}},
        "storage": {"trace": {"backend": "s3", "s3": s3, "wal": {"path": f"{DATA}/wal"}}},
        "compactor": {"compaction": {"block_retention": settings.retention.as_hours}},
        "usage_report": {"reporting_enabled": False},
    }

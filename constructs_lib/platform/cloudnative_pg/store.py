"""The store of a Postgres cluster's backups: where it is in the bucket, with which key, and how clients speak to it.

Upstream: cloudnative-pg/plugin-barman-cloud v0.13.0 `web/docs/{usage,object_stores}.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.base.quantities import Memory
from constructs_lib.kit import Manifest, manifest, resources
from constructs_lib.platform.cloudnative_pg.settings import NAMESPACE, PostgresCluster
from constructs_lib.platform.recovery import BACKUP_SECRET, CA_KEY, client_settings

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

OBJECT_STORES = "barmancloud.cnpg.io/v1"
ARCHIVES = "postgres"
"""The folder of the bucket below which each cluster has one."""
SEGMENTS_AT_ONCE = 2
SIDECAR_MEMORY = Memory("512Mi")
"""Measured (docs/decisions/0032-capacity.md): a base backup of an empty database 188 MiB, each segment about 61 MiB."""
SIDECAR_RESOURCES = resources("50m", SIDECAR_MEMORY)


def object_store(env: Environment, cluster: PostgresCluster) -> Manifest:
    """Return the store of a cluster: each has its own, for retention is a setting of the store."""
    spec = {
        "retentionPolicy": cluster.backup_retention,
        "configuration": {
            "destinationPath": f"s3://{env.backups.bucket}/{ARCHIVES}",
            "endpointURL": env.backups.endpoint,
            **_trusted(env),
            "s3Credentials": {
                "accessKeyId": {"name": BACKUP_SECRET, "key": "ACCESS_KEY_ID"},
                "secretAccessKey": {"name": BACKUP_SECRET, "key": "ACCESS_SECRET_KEY"},
            },
            "wal": {"compression": "gzip", "maxParallel": SEGMENTS_AT_ONCE},
            "data": {"compression": "gzip", "jobs": 2},
        },
        "instanceSidecarConfiguration": {
            "env": [{"name": name, "value": value} for name, value in client_settings(env).items()],
            "resources": SIDECAR_RESOURCES,
        },
    }
    return manifest(OBJECT_STORES, "ObjectStore", cluster.name, NAMESPACE, spec=spec)


def _trusted(env: Environment) -> Manifest:
    return {} if env.backups.ca_bundle is None else {"endpointCA": {"name": BACKUP_SECRET, "key": CA_KEY}}

"""The store of a Postgres cluster's backups: where it is in the bucket, with which key, and how clients speak to it.

Upstream: cloudnative-pg/plugin-barman-cloud v0.13.0 `web/docs/{usage,object_stores}.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.base.bucket import BucketPurpose
from constructs_lib.base.quantities import Memory
from constructs_lib.kit import Manifest, manifest, resources
from constructs_lib.platform.cloudnative_pg.settings import NAMESPACE, PostgresCluster
from constructs_lib.platform.vault_eso import InVault

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

OBJECT_STORES = "barmancloud.cnpg.io/v1"
BACKUP_SECRET = "backups"  # noqa: S105 - a name
BACKUP_KEYS = {"ACCESS_KEY_ID": "access_key_id", "ACCESS_SECRET_KEY": "secret_access_key"}
"""The keys of that Secret, and where each is in Vault's entry."""
CA_KEY = "ca.crt"
"""The key of that Secret which says whom clients trust, where that is not public."""
ARCHIVES = "postgres"
"""The folder of the bucket below which each cluster has one."""
SEGMENTS_AT_ONCE = 2
SIDECAR_MEMORY = Memory("512Mi")
"""Measured (docs/decisions/0032-capacity.md): a base backup of an empty database 188 MiB, each segment about 61 MiB."""
SIDECAR_RESOURCES = resources("50m", SIDECAR_MEMORY)


def client_settings(env: Environment) -> dict[str, str]:
    """Return the environment variables by which a client of S3 gets on with the bucket.

    Spaces refuses the checksums that newer clients send unasked (plugin-barman-cloud `object_stores.md`).
    """
    checksums = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
    region = {"AWS_DEFAULT_REGION": env.backups.region} if env.backups.elsewhere else {}
    return {**dict.fromkeys(checksums, "when_required"), **region}


def backup_entry(env: Environment) -> InVault:
    """Return what is read of Vault for the bucket; the certificate that is trusted there comes from the file."""
    if env.backups.ca_bundle is None:
        return InVault(BucketPurpose.BACKUPS, BACKUP_KEYS)
    data = {key: f"{{{{ .{key} }}}}" for key in BACKUP_KEYS} | {CA_KEY: env.backups.ca_bundle}
    return InVault(BucketPurpose.BACKUPS, BACKUP_KEYS, {"data": data})


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

"""The bucket with backups, as jobs and operators reach it: its key, and how clients of S3 get on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.base.bucket import NO_CHECKSUMS, BucketPurpose
from constructs_lib.kit import Manifest
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

BACKUP_SECRET = "backups"  # noqa: S105 - a name
BACKUP_KEYS = {"ACCESS_KEY_ID": "access_key_id", "ACCESS_SECRET_KEY": "secret_access_key"}
"""The keys of that Secret, and where each is in Vault's entry."""

CA_KEY = "ca.crt"
"""The key of that Secret which says whom clients trust, where that is not public."""
TRUSTED = "trusted"
"""The volume with that certificate."""


def backup_entry(env: Environment) -> InVault:
    """Return what is read of Vault for the bucket; the certificate that is trusted there comes from the file."""
    if env.backups.ca_bundle is None:
        return InVault(BucketPurpose.BACKUPS, BACKUP_KEYS)
    data = {key: f"{{{{ .{key} }}}}" for key in BACKUP_KEYS} | {CA_KEY: env.backups.ca_bundle}
    return InVault(BucketPurpose.BACKUPS, BACKUP_KEYS, {"data": data})


def bucket_key(env: Environment, namespace: str) -> Manifest:
    """Return what brings the bucket's key into a namespace."""
    return external_secret(env, BACKUP_SECRET, namespace, backup_entry(env))


def client_settings(env: Environment) -> dict[str, str]:
    """Return the environment variables by which a client of S3 gets on with the bucket."""
    region = {"AWS_DEFAULT_REGION": env.backups.region} if env.backups.elsewhere else {}
    return {**NO_CHECKSUMS, **region}


def bucket_environ(env: Environment, **said: str) -> list[Manifest]:
    """Return the environment of a container that reads or writes the bucket, with what else it is told."""
    keys = {"AWS_ACCESS_KEY_ID": "ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "ACCESS_SECRET_KEY"}
    told = {"ENDPOINT": env.backups.endpoint, **said, "PYTHONUNBUFFERED": "1", **client_settings(env)}
    return [
        *({"name": name, "value": value} for name, value in told.items()),
        *({"name": name, "valueFrom": {"secretKeyRef": {"name": BACKUP_SECRET, "key": keys[name]}}} for name in keys),
    ]

"""The archives of clusters that are gone: a new one finds the folders that it writes into empty, or it has no backups.

`barman-cloud-check-wal-archive` refuses a folder with anything in it ("Expected empty archive"), and the cluster runs
on without backups until its volume is full (cloudnative-pg/plugin-barman-cloud#350).
"""

from __future__ import annotations

from constructs_lib.base.bucket import BucketPurpose
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.platform.cloudnative_pg.store import ARCHIVES
from operations.clients.digitalocean import DigitalOcean
from operations.clients.spaces import Spaces
from operations.secrets.credentials import KEY, missing, secrets_of


def refuse_old_archives(env: Environment, api: DigitalOcean, spaces: Spaces) -> None:
    """Raise `ConfigError` if a cluster that is to be made would archive into what another of its name has left.

    The key of a bucket that is not on Spaces only what applies may read.
    """
    postgres, generation = env.platform.cloudnative_pg, env.cluster.generation
    if not (postgres.enabled and postgres.clusters) or api.cluster(env.cluster.name):
        return
    spaces = reaching_backups(env, spaces)
    if not spaces.exists(env.backups):
        return
    folders = (f"{ARCHIVES}/{cluster.archive(generation)}/" for cluster in postgres.clusters)
    full = [folder for folder in folders if spaces.holds(env.backups, folder)]
    if full:
        raise ConfigError(
            f"environments/{env.name}.yaml: cluster.generation: bucket {env.backups.bucket} has {', '.join(full)} of "
            f"generation {generation}, into which nothing can be archived any more; raise it to {generation + 1}"
        )


def reaching_backups(env: Environment, spaces: Spaces) -> Spaces:
    """Return the client for the bucket: this one, or on another S3 one with the key that a person has to bring."""
    if not env.backups.elsewhere:
        return spaces
    secrets, path = secrets_of(env, Purpose.APPLY), f"{env.vault.kv.platform}/{BucketPurpose.BACKUPS}"
    if problems := missing(secrets, path, KEY, made=False):
        raise ConfigError(*problems)
    key = secrets.read(path)
    return Spaces(key["access_key_id"], key["secret_access_key"])

"""What an application knows its services by: a Secret for each, in its own namespace, with the keys that clients read.

libpq reads `PG…` (postgresql.org, "Environment Variables"), Celery, Heroku's and Score's examples `AMQP_URL` and
`REDIS_URL`, AWS's SDKs `AWS_…` (docs.aws.amazon.com, "AWS SDKs and Tools Reference Guide"). What reads it from
Vault is the application's own account there, which opens these entries and no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from constructs_lib.applications import Application
from constructs_lib.base.bucket import NO_CHECKSUMS, AppBucket, Bucket
from constructs_lib.kit import Manifest
from constructs_lib.platform.cert_manager import CA_FILE
from constructs_lib.platform.vault_eso import InVault
from constructs_lib.platform.vault_eso.applications import account, secret_from

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

PASSWORD = {"password": "password"}
IN_URL = "{{ .password | urlquery }}"
"""The password where an address holds it (External Secrets' templates, v2)."""
S3_KEY = {"access_key_id": "access_key_id", "secret_access_key": "secret_access_key"}
Keys = dict[str, str]
"""The keys of a Secret with what each holds: text, or a template of External Secrets."""


def credentials(env: Environment) -> Iterator[Manifest]:
    """Yield for each application its account in Vault and its store, and what brings each of its Secrets."""
    for app in env.applications.values():
        yield from account(env, app.name)
        for name, entry in entries(env, app):
            yield secret_from(env, app.name, name, entry)


def entries(env: Environment, app: Application) -> Iterator[tuple[str, InVault]]:
    """Yield the name of each Secret that an application gets, and its entry in Vault."""
    for name, path, keys in _services(env, app):
        yield name, InVault(f"{env.vault.kv.platform}/{path}", PASSWORD, {"data": keys})
    for purpose, bucket in env.buckets.items():
        if isinstance(purpose, AppBucket) and purpose.application == app.name and not purpose.retired:
            path = env.vault.kv.key_of(purpose)
            yield f"bucket-{purpose.name}", InVault(path, S3_KEY, {"data": _s3(bucket)})
    for name, keys in app.reached.secrets.items():
        yield f"secret-{name}", InVault(f"{env.vault.kv.application(app.name)}/{name}", {key: key for key in keys})


def _services(env: Environment, app: Application) -> Iterator[tuple[str, str, Keys]]:
    """Yield for each service the name of the Secret, the path below the platform's, and the keys."""
    uses, platform = app.reached, env.platform
    for postgres in platform.cloudnative_pg.clusters:
        if (database := uses.postgres.get(postgres.name)) is not None:
            host = postgres.host(pooled=database.pooled)
            keys = _postgres(app.account, host, database.database or app.account)
            yield f"postgres-{postgres.name}", postgres.entry_of(app.account), keys
    for broker in platform.rabbitmq_operator.clusters:
        if (vhost := uses.rabbitmq.get(broker.name)) is not None:
            keys = _rabbitmq(app.name, broker.host, vhost.vhost or app.name)
            yield f"rabbitmq-{broker.name}", broker.entry_of(app.name), keys
    for cache in platform.valkey_operator.clusters:
        if cache.name in uses.valkey:
            yield f"valkey-{cache.name}", cache.entry, _valkey(cache.host)


def _postgres(role: str, host: str, database: str) -> Keys:
    return {
        "PGHOST": host,
        "PGPORT": "5432",
        "PGDATABASE": database,
        "PGUSER": role,
        "PGPASSWORD": "{{ .password }}",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": CA_FILE,
    }


def _rabbitmq(user: str, host: str, vhost: str) -> Keys:
    return {
        "AMQP_URL": f"amqps://{user}:{IN_URL}@{host}:5671/{quote(vhost, safe='')}",
        "RABBITMQ_HOST": host,
        "RABBITMQ_PORT": "5671",
        "RABBITMQ_VHOST": vhost,
        "RABBITMQ_USER": user,
        "RABBITMQ_PASSWORD": "{{ .password }}",
    }


def _valkey(host: str) -> Keys:
    return {
        "REDIS_URL": f"rediss://:{IN_URL}@{host}:6379",
        "REDIS_HOST": host,
        "REDIS_PORT": "6379",
        "REDIS_PASSWORD": "{{ .password }}",
    }


def _s3(bucket: Bucket) -> Keys:
    """No SDK reads the bucket's name; boto3 reads the second of the regions, others the first."""
    return {
        "AWS_ACCESS_KEY_ID": "{{ .access_key_id }}",
        "AWS_SECRET_ACCESS_KEY": "{{ .secret_access_key }}",
        "AWS_BUCKET": bucket.bucket,
        "AWS_ENDPOINT_URL_S3": bucket.endpoint,
        "AWS_REGION": bucket.region,
        "AWS_DEFAULT_REGION": bucket.region,
        **NO_CHECKSUMS,
    }

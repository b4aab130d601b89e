"""An environment's buckets and the limited key of each purpose: made before OpenTofu runs, and kept in Vault alone.

A key that OpenTofu made would have its secret in the state, for all who plan, and its successor would take its place
before anybody had it. API: digitalocean/openapi `spacesKey_create` (a grant is `read` or `readwrite` on a bucket).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from constructs_lib.base.bucket import AnyPurpose, AppBucket
from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean, Resource
from operations.clients.spaces import Spaces
from operations.clients.vault import Secrets

LIST = "/v2/spaces/keys"


class BucketKey(NamedTuple):
    """A limited key: its name at DigitalOcean, where Vault holds it, and what it may do with which bucket."""

    name: str
    path: str
    grants: Mapping[str, str]

    def body(self) -> Resource:
        """Return what DigitalOcean is told of it."""
        grants = [{"bucket": bucket, "permission": permission} for bucket, permission in self.grants.items()]
        return {"name": self.name, "grants": grants}


def bucket_keys(env: Environment) -> dict[str, BucketKey]:
    """Return the keys of an environment: one for each bucket, for who uses it, and one that reads them all.

    Beside a cluster that exists no bucket is made, and so no key; what is retired has none any more.
    """
    if not env.buckets:
        return {}
    own = {str(purpose): _key(env, purpose) for purpose in env.buckets if not _is_retired(purpose)}
    reading = dict.fromkeys((bucket.bucket for bucket in env.buckets.values()), "read")
    return {**own, "plan": BucketKey(f"{env.cluster.name}-plan", env.vault.kv.plan, reading)}


def _key(env: Environment, purpose: AnyPurpose) -> BucketKey:
    grants = {env.buckets[purpose].bucket: purpose.access}
    return BucketKey(env.key_name(purpose), env.vault.kv.key_of(purpose), grants)


def _is_retired(purpose: AnyPurpose) -> bool:
    return isinstance(purpose, AppBucket) and purpose.retired


def ensure_buckets(env: Environment, spaces: Spaces, *, dry_run: bool) -> None:
    """Make the buckets that are missing; OpenTofu takes them over, and sees to their settings."""
    for bucket in env.buckets.values():
        if not spaces.exists(bucket):
            if not dry_run:
                spaces.create(bucket)
            say(f"bucket {bucket.bucket}: {'would be made' if dry_run else 'made'}")


def ensure_keys(env: Environment, secrets: Secrets, api: DigitalOcean, *, dry_run: bool) -> None:
    """Make the keys that Vault lacks or DigitalOcean has no more, and give each the grants that it needs.

    Those of applications that are retired end.
    """
    there = {key["access_key"]: key for key in api.list(LIST, "keys")}
    _end_retired(env, there.values(), api, dry_run=dry_run)
    for key in bucket_keys(env).values():
        in_vault = secrets.read(key.path).get("access_key_id")
        known = there.get(in_vault or "")
        if known is None:
            if not dry_run:
                put_new_key(key, secrets, api)
                if in_vault is None:
                    _remove_lost(key, secrets, api)
            say(f"Vault {secrets.mount}/{key.path}: key {key.name} {'would be made' if dry_run else 'made'}")
        elif _grants(known) != key.grants:
            if not dry_run:
                api.put(f"{LIST}/{known['access_key']}", key.body())
            say(f"Spaces key {key.name}: its grants {'would be corrected' if dry_run else 'corrected'}")


def _end_retired(env: Environment, there: Iterable[Resource], api: DigitalOcean, *, dry_run: bool) -> None:
    ended = {env.key_name(purpose) for purpose in env.buckets if _is_retired(purpose)}
    for key in [key for key in there if key["name"] in ended]:
        if not dry_run:
            api.delete(f"{LIST}/{key['access_key']}")
        say(f"Spaces key {key['name']}: its application is retired, so it {'would be' if dry_run else 'is'} removed")


def _remove_lost(key: BucketKey, secrets: Secrets, api: DigitalOcean) -> None:
    """Remove the keys of this name that were made before Vault held its first: nobody can read their secrets again."""
    for lost in other_keys(key, secrets, api):
        api.delete(f"{LIST}/{lost['access_key']}")
        say(f"Spaces key {key.name}: removed one that a killed run, or a lost answer, left")


def put_new_key(key: BucketKey, secrets: Secrets, api: DigitalOcean) -> None:
    """Make a key and put it into Vault; one that another run put there meanwhile stays, and this one goes again.

    A run that is killed in between leaves a key that nobody knows; the next one removes it.
    """
    version = secrets.version(key.path)
    made = api.post(LIST, key.body())["key"]
    values = {"access_key_id": made["access_key"], "secret_access_key": made["secret_key"]}
    if not secrets.replace(key.path, values, version):
        api.delete(f"{LIST}/{made['access_key']}")
        raise ConfigError(f"Vault {secrets.mount}/{key.path}: was written by another run meanwhile; run this again")


def other_keys(key: BucketKey, secrets: Secrets, api: DigitalOcean) -> Iterator[Resource]:
    """Yield the keys of this name that are not the one in Vault: those before it, and what a killed run left."""
    kept = secrets.read(key.path).get("access_key_id")
    if kept is None:
        return
    for item in [*api.list(LIST, "keys")]:
        if item["name"] == key.name and item["access_key"] != kept:
            yield item


def _grants(key: Resource) -> dict[str, str]:
    return {grant["bucket"]: grant["permission"] for grant in key["grants"]}

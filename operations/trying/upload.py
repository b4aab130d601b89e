"""The buckets, with who may what in each, and the rendered tree in the one that Flux follows.

Whoever writes into that one is Flux, which may do all; so Flux' own key reads it, and that of backups does not know it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from constructs_lib.base.errors import ConfigError
from operations.clients.http import ca_file
from operations.clients.spaces import s3_client
from operations.trying.keys import Keys
from operations.trying.place import BACKUPS, SOURCE

READS = ("s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation")
WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucketVersions", "s3:GetObjectVersion")
MAY = {SOURCE: READS, BACKUPS: (*READS, *WRITES)}
"""What the key of each bucket may do there."""
READ_FIRST = "clusters/"
"""What Flux reads first comes last, so that it finds the rest."""


def uploaded(port: int, keys: Keys, bucket: str, files: Mapping[str, bytes]) -> int:
    """Bring a bucket to what `files` are, by the objects that differ, and return how many did."""
    try:
        return _uploaded(_client(port, keys), bucket, files)
    except (ClientError, BotoCoreError) as error:
        raise ConfigError(f"bucket {bucket}: the object store fails ({type(error).__name__}); run this again") from None


def make_bucket(port: int, keys: Keys, bucket: str) -> None:
    """Make a bucket, unless it is there, and let its own key do what it may."""
    client = _client(port, keys)
    try:
        if bucket not in {item["Name"] for item in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, keys.of_buckets[bucket][0])))
    except (ClientError, BotoCoreError) as error:
        raise ConfigError(f"bucket {bucket}: the object store fails ({type(error).__name__}); run this again") from None


def policy(bucket: str, key_id: str) -> dict[str, Any]:
    """Return the policy of a bucket; its store's root may do all without one."""
    where = f"arn:aws:s3:::{bucket}"
    statement = {"Effect": "Allow", "Principal": {"AWS": [key_id]}, "Action": [*MAY[bucket]]}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Resource": [where, f"{where}/*"]}]}


def tree(folder: Path) -> dict[str, bytes]:
    """Return the files that Flux reads of a rendered tree, by their keys: those in folders whose names are plain."""
    found = ((path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file())
    return {key: path.read_bytes() for key, path in found if not key.startswith(".")}


def _uploaded(client: Any, bucket: str, files: Mapping[str, bytes]) -> int:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", ())}
    differs = [key for key, data in files.items() if there.get(key) != _etag(data)]
    for key in sorted(differs, key=lambda key: (key.startswith(READ_FIRST), key)):
        client.put_object(Bucket=bucket, Key=key, Body=files[key])
    gone = [key for key in there if key not in files]
    for key in gone:
        client.delete_object(Bucket=bucket, Key=key)
    return len(differs) + len(gone)


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _client(port: int, keys: Keys) -> Any:
    address, trusted = f"https://localhost:{port}", ca_file(keys.ca)
    return s3_client(address, "us-east-1", "path", keys.access_key_id, keys.secret_access_key, trusted)

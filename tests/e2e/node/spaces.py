"""DigitalOcean Spaces in the world of a cluster: moto's S3 server by HTTPS, under the name of the real one.

moto does not check credentials, so this shows nothing about who may read a bucket.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from constructs_lib.environment import Environment
from tests.e2e.node import network
from tests.e2e.node.cluster import NodeCluster


class Spaces:
    """An S3 server with the bucket for an environment's backups."""

    def __init__(self, cluster: NodeCluster, env: Environment) -> None:
        self._cluster, self._bucket = cluster, env.backups

    def start(self) -> None:
        """Start the server, and make the bucket as the backups stack does."""
        self._cluster.public.issue("spaces", "spaces", names=[self._bucket.host], addresses=[network.SPACES])
        pki = self._cluster.public.folder
        listen = ("-H", network.SPACES, "-p", "443", "-c", str(pki / "spaces.crt"), "-k", str(pki / "spaces.key"))
        # The bucket is in the path: what stands before the first dot of the name is a region.
        named = {"S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true"}
        self._cluster.daemons.start("spaces", "-m", "moto.server", *listen, program=Path(sys.executable), **named)
        self._cluster.eventually(self._has_bucket, "the bucket is there")

    def stored(self) -> list[str]:
        """Return the key of every object in the bucket."""
        return self._cluster.middle.call(lambda: [item.key for item in self._objects().objects.all()])

    def read(self, key: str) -> bytes:
        """Return an object."""

        def found() -> bytes:
            return self._objects().Object(key).get()["Body"].read()

        return self._cluster.middle.call(found)

    def write(self, key: str, data: bytes | None) -> None:
        """Replace an object, or delete it where there is no `data`, as no client of the platform does."""

        def change() -> None:
            item = self._objects().Object(key)
            item.delete() if data is None else item.put(Body=data)

        self._cluster.middle.call(change)

    def _has_bucket(self) -> bool:
        try:
            self._cluster.middle.call(self._make)
        except BotoCoreError:  # the server does not answer yet
            return False
        return True

    def _make(self) -> None:
        bucket = self._objects()
        bucket.create()
        bucket.Versioning().enable()

    def _objects(self) -> Any:
        made: Any = boto3.resource(
            "s3",
            endpoint_url=f"https://{network.SPACES}",
            region_name="us-east-1",
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
            verify=str(self._cluster.public.certificate),
        )
        return made.Bucket(self._bucket.bucket)

"""DigitalOcean Spaces: moto's S3 server on loopback."""

from __future__ import annotations

from typing import Any, Self

import boto3
import requests
from moto.server import ThreadedMotoServer

ACCESS_KEY, SECRET_KEY = "spaces-access-key", "spaces-secret-key"


class FakeSpaces:
    """An S3 server to use as a context manager; it starts empty.

    moto does not check credentials, so this shows nothing about who may read a bucket.
    """

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self) -> Self:
        self._server.start()
        self._client().meta.client.list_buckets()
        return self

    def __exit__(self, *_: object) -> None:
        requests.post(f"{self.url}/moto-api/reset", timeout=10)
        self._server.stop()

    @property
    def url(self) -> str:
        """The address for clients that put the bucket into the path."""
        return "http://{}:{}".format(*self._server.get_host_and_port())

    def environment(self) -> dict[str, str]:
        """Return the variables with which the DigitalOcean provider and OpenTofu's backend use this server.

        The provider puts the bucket into the host name, which no loopback address resolves; as an HTTP proxy moto sees
        the name without anybody resolving it. The endpoint is a reserved name without a dot: moto takes what stands
        before the first dot of any other for a bucket.
        """
        return {
            "SPACES_ENDPOINT_URL": "http://test",
            "SPACES_ACCESS_KEY_ID": ACCESS_KEY,
            "SPACES_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "HTTP_PROXY": self.url,
        }

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return the contents of every object in a bucket, by key."""
        return {item.key: item.get()["Body"].read() for item in self._client().Bucket(bucket).objects.all()}

    def buckets(self) -> list[str]:
        """Return the names of all buckets."""
        return sorted(bucket.name for bucket in self._client().buckets.all())

    def _client(self) -> Any:
        return boto3.resource(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

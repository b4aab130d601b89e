"""Buckets on Spaces or another S3, for what has to be known of them before OpenTofu can keep its state."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from constructs_lib.base.bucket import Bucket
from constructs_lib.base.errors import ConfigError


class Spaces:
    """The buckets that a key reaches. `SPACES_ENDPOINT_URL` names another address, as for the provider."""

    def __init__(self, key_id: str, secret: str) -> None:
        self._key_id, self._secret = key_id, secret

    def exists(self, bucket: Bucket) -> bool:
        """Say whether a bucket is there. Raises `ConfigError` if it belongs to somebody else."""
        return self._head(bucket) == 200

    def create(self, bucket: Bucket) -> None:
        """Make a private bucket."""
        self._call(bucket, "create_bucket", ACL="private")

    def holds(self, bucket: Bucket, key: str) -> bool:
        """Say whether a bucket has an object."""
        return "Contents" in self._call(bucket, "list_objects_v2", Prefix=key, MaxKeys=1)

    def _head(self, bucket: Bucket) -> int:
        try:
            self._client(bucket).head_bucket(Bucket=bucket.bucket)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 404:
                return status
            raise _refused(bucket, status) from None
        except BotoCoreError:
            raise _silent(bucket) from None
        return 200

    def _call(self, bucket: Bucket, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client(bucket), operation)(Bucket=bucket.bucket, **arguments)
        except ClientError as error:
            raise _refused(bucket, error.response["ResponseMetadata"]["HTTPStatusCode"]) from None
        except BotoCoreError:
            raise _silent(bucket) from None

    def _client(self, bucket: Bucket) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=endpoint(bucket),
            # On Spaces any value does, since the endpoint decides. Elsewhere both are as Barman has them.
            region_name=bucket.region if bucket.elsewhere else "us-east-1",
            aws_access_key_id=self._key_id,
            aws_secret_access_key=self._secret,
            config=Config(
                retries={"max_attempts": 5, "mode": "standard"},
                s3={"addressing_style": "path" if bucket.elsewhere else "virtual"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )


def endpoint(bucket: Bucket) -> str:
    """Return the S3 address of a bucket's region."""
    return os.environ.get("SPACES_ENDPOINT_URL", bucket.endpoint)


def _refused(bucket: Bucket, status: int) -> ConfigError:
    if status == 403:
        why = "belongs to another account, or the key may not reach it; choose another name or correct the key"
    else:
        why = f"it answers {status}; try again later"
    return ConfigError(f"bucket {bucket.bucket} at {endpoint(bucket)}: {why}")


def _silent(bucket: Bucket) -> ConfigError:
    return ConfigError(f"bucket {bucket.bucket}: {endpoint(bucket)} gives no answer; try again later")

"""Buckets on Spaces or another S3, for what has to be there before OpenTofu can keep its state, and for its locks."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from constructs_lib.base.bucket import Bucket
from constructs_lib.base.errors import ConfigError
from operations.clients.http import TIMEOUT_SECONDS


class Spaces:
    """The buckets that a key reaches. `SPACES_ENDPOINT_URL` names another address, as for the provider."""

    def __init__(self, key_id: str, secret: str) -> None:
        self._key_id, self._secret = key_id, secret

    def exists(self, bucket: Bucket) -> bool:
        """Say whether the key's account has this bucket. Raises `ConfigError` if it belongs to somebody else.

        Names are those of all accounts, and who has one may let everybody in: the account's own list is what counts.
        A key that may not list is limited to buckets of its account.
        """
        own = self._asked(bucket, "list_buckets", 403)
        if own is None:
            return self._asked(bucket, "head_bucket", 404, Bucket=bucket.bucket) is not None
        if any(item["Name"] == bucket.bucket for item in own["Buckets"]):
            return True
        if self._asked(bucket, "head_bucket", 404, Bucket=bucket.bucket) is not None:
            raise _refused(bucket, 403)
        return False

    def create(self, bucket: Bucket) -> None:
        """Make a private bucket. Raises `ConfigError` if somebody else has the name."""
        made = self._asked(bucket, "create_bucket", 409, Bucket=bucket.bucket, ACL="private")
        if made is None and not self.exists(bucket):  # an earlier try made it, and its answer was lost
            raise _refused(bucket, 409)

    def holds(self, bucket: Bucket, key: str) -> bool:
        """Say whether a bucket has an object."""
        return "Contents" in self._asked(bucket, "list_objects_v2", Bucket=bucket.bucket, Prefix=key, MaxKeys=1)

    def version(self, bucket: Bucket, key: str) -> str | None:
        """Return what changes whenever an object does; nothing if there is none."""
        found = self._asked(bucket, "head_object", 404, Bucket=bucket.bucket, Key=key)
        return found and found["ETag"]

    def read(self, bucket: Bucket, key: str) -> bytes | None:
        """Return an object; nothing if there is none."""
        found = self._asked(bucket, "get_object", 404, Bucket=bucket.bucket, Key=key)
        return found and found["Body"].read()

    def write_new(self, bucket: Bucket, key: str, data: bytes) -> bool:
        """Write an object unless there is one, and say whether it was written."""
        how = {"Bucket": bucket.bucket, "Key": key, "Body": data, "IfNoneMatch": "*"}
        return self._asked(bucket, "put_object", 412, **how) is not None

    def remove(self, bucket: Bucket, key: str) -> None:
        """Remove an object; what is gone already is no error."""
        self._asked(bucket, "delete_object", Bucket=bucket.bucket, Key=key)

    def _asked(self, bucket: Bucket, operation: str, said_no: int = 0, **arguments: Any) -> Any:
        """Return what Spaces answers; nothing if that is the status `said_no`."""
        try:
            return getattr(self._client(bucket), operation)(**arguments)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == said_no:
                return None
            raise _refused(bucket, status) from None
        except BotoCoreError:
            raise _silent(bucket) from None

    def _client(self, bucket: Bucket) -> Any:
        # On Spaces any region does, since the endpoint decides. Elsewhere both are as Barman has them.
        region, style = (bucket.region, "path") if bucket.elsewhere else ("us-east-1", "virtual")
        return s3_client(endpoint(bucket), region, style, self._key_id, self._secret)


def s3_client(  # noqa: PLR0913, PLR0917
    address: str, region: str, style: str, key_id: str, secret: str, trusted: str | None = None
) -> Any:
    """Return boto3's client of an S3 server, in the addressing `style`; `trusted` is a file of certificates."""
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        verify=trusted,
        config=Config(
            retries={"max_attempts": 5, "mode": "standard"},
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            s3={"addressing_style": style},
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

"""Buckets on DigitalOcean Spaces, each with a key of its own."""

from __future__ import annotations

from constructs import Construct

from constructs_lib.base.bucket import Bucket
from constructs_lib.cloud.providers import digitalocean

OLD_VERSIONS_DAYS = 90


class PrivateBucket(Construct):
    """A private, versioned bucket and the only limited key that may read and write it.

    Spaces admits no bucket policy beside limited keys, so the key's grant is the access policy (docs/decisions/0003).
    OpenTofu refuses to destroy the bucket unless it is `disposable`; then it is destroyed with all that is in it.
    """

    def __init__(
        self, scope: Construct, id_: str, *, settings: Bucket, key_name: str, disposable: bool = False
    ) -> None:
        super().__init__(scope, id_)
        bucket = digitalocean.spaces_bucket.SpacesBucket(
            self,
            "bucket",
            name=settings.bucket,
            region=settings.region,
            acl="private",
            force_destroy=disposable,
            versioning={"enabled": True},
            lifecycle_rule=[
                # Typed, since the bindings convert the keys of a map but not those of maps in a list.
                digitalocean.spaces_bucket.SpacesBucketLifecycleRule(
                    enabled=True,
                    abort_incomplete_multipart_upload_days=7,
                    noncurrent_version_expiration={"days": OLD_VERSIONS_DAYS},
                )
            ],
            lifecycle={"prevent_destroy": not disposable},
        )
        digitalocean.spaces_key.SpacesKey(
            self, "key", name=key_name, grant=[{"bucket": bucket.name, "permission": "readwrite"}]
        )

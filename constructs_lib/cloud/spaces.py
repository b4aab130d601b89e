"""Buckets on DigitalOcean Spaces, each with a key of its own."""

from __future__ import annotations

from constructs import Construct

from constructs_lib.base.bucket import Bucket, BucketPurpose
from constructs_lib.cloud.providers import digitalocean


class PrivateBucket(Construct):
    """A private bucket, versioned as its purpose asks for, and the only limited key that may read and write it.

    Spaces admits no bucket policy beside limited keys, so the key's grant is the access policy (docs/decisions/0003).
    OpenTofu refuses to destroy the bucket unless it is `disposable`; then it is destroyed with all that is in it.
    """

    def __init__(
        self,
        scope: Construct,
        purpose: BucketPurpose,
        *,
        settings: Bucket,
        key_name: str,
        disposable: bool = False,
    ) -> None:
        super().__init__(scope, purpose)
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
                    noncurrent_version_expiration={"days": purpose.undo.number},
                    expiration={"expired_object_delete_marker": True},
                )
            ],
            lifecycle={"prevent_destroy": not disposable},
        )
        digitalocean.spaces_key.SpacesKey(
            self, "key", name=key_name, grant=[{"bucket": bucket.name, "permission": "readwrite"}]
        )

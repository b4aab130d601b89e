"""Buckets on DigitalOcean Spaces."""

from __future__ import annotations

from constructs import Construct

from constructs_lib.base.bucket import AnyPurpose, Bucket
from constructs_lib.cloud.providers import digitalocean


class PrivateBucket(Construct):
    """A private bucket, versioned as its purpose asks for.

    Spaces admits no bucket policy beside limited keys, so the grants of these are the access policy, and their secrets
    are in no state: `operations` makes them (docs/decisions/0003, 0034).
    OpenTofu refuses to destroy the bucket unless it is `disposable`; then it is destroyed with all that is in it.
    """

    def __init__(
        self,
        scope: Construct,
        purpose: AnyPurpose,
        *,
        settings: Bucket,
        disposable: bool = False,
    ) -> None:
        super().__init__(scope, str(purpose))
        digitalocean.spaces_bucket.SpacesBucket(
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

"""Buckets."""

from __future__ import annotations

import pytest

from constructs_lib.base.bucket import Bucket, BucketPurpose
from constructs_lib.cloud.spaces import PrivateBucket
from tests.support import Synthesised, synthesised

SETTINGS = Bucket(bucket="example-state", region="ams3")


def bucket(purpose: BucketPurpose = BucketPurpose.STATE, **changes: bool) -> Synthesised:
    return synthesised(lambda stack: PrivateBucket(stack, purpose, settings=SETTINGS, **changes))


@pytest.mark.parametrize(("purpose", "days"), [("state", 90), ("backups", 7), ("traces", 1)])
def test_the_bucket_is_private_and_keeps_old_versions_for_a_while(purpose: str, days: int) -> None:
    found = bucket(BucketPurpose(purpose)).only("digitalocean_spaces_bucket")
    assert (found["name"], found["region"], found["acl"]) == ("example-state", "ams3", "private")
    assert found["versioning"] == {"enabled": True}
    assert found["lifecycle_rule"] == [
        {
            "enabled": True,
            "abort_incomplete_multipart_upload_days": 7,
            "noncurrent_version_expiration": {"days": days},
            "expiration": {"expired_object_delete_marker": True},
        }
    ]


def test_no_key_and_so_no_secret_is_in_the_state() -> None:
    assert not bucket().all("digitalocean_spaces_key")
    assert not bucket().all("digitalocean_spaces_bucket_policy"), "Spaces refuses a policy beside a limited key"


def test_a_bucket_is_kept_unless_told_otherwise() -> None:
    found = bucket().only("digitalocean_spaces_bucket")
    assert (found["lifecycle"], found["force_destroy"]) == ({"prevent_destroy": True}, False)


@pytest.mark.parametrize("disposable", [True, False])
def test_only_a_disposable_bucket_can_be_destroyed(disposable: bool) -> None:
    found = bucket(disposable=disposable).only("digitalocean_spaces_bucket")
    assert found["lifecycle"] == {"prevent_destroy": not disposable}
    assert found["force_destroy"] is disposable

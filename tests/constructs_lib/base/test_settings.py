"""The base of everything that an environment file may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from constructs_lib.base.bucket import Bucket


def test_settings_are_strict_frozen_and_closed() -> None:
    bucket = Bucket(bucket="example", region="ams3")
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Bucket.model_validate({"bucket": "example", "region": "ams3", "size": 1})
    with pytest.raises(ValidationError, match="valid string"):
        Bucket.model_validate({"bucket": b"example", "region": "ams3"})
    with pytest.raises(ValidationError, match="frozen"):
        bucket.region = "lon1"


def test_a_bucket_knows_the_endpoint_of_its_region() -> None:
    assert Bucket(bucket="example", region="ams3").endpoint == "https://ams3.digitaloceanspaces.com"

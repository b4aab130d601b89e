"""A bucket as environment files name it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from constructs_lib.base.belonging import Own
from constructs_lib.base.change import Change, refused
from constructs_lib.base.fields import BucketName, Region
from constructs_lib.base.quantities import Days
from constructs_lib.base.settings import Settings


class BucketPurpose(StrEnum):
    """What a bucket of an environment is for: it names the bucket's key, and the key's entry in Vault."""

    STATE = "state"
    BACKUPS = "backups"
    TRACES = "traces"

    @property
    def undo(self) -> Days:
        """For how long what was overwritten or deleted can be brought back.

        Who writes backups and traces deletes them after a retention of their own, which this adds to.
        """
        return Days({"state": "90d", "backups": "7d", "traces": "1d"}[self])


class Bucket(Settings):
    """A bucket on DigitalOcean Spaces."""

    bucket: Annotated[
        BucketName,
        Own("bucket"),
        Change(refused("what is in the old bucket is not moved; keep it, or add another environment")),
    ]
    region: Annotated[Region, Change(refused("a bucket stays in its region; keep it, or add another environment"))] = (
        Field(description="Spaces region; not every region with DOKS has Spaces.")
    )

    @property
    def host(self) -> str:
        """The host of the S3 endpoint of the bucket's region."""
        return f"{self.region}.digitaloceanspaces.com"

    @property
    def endpoint(self) -> str:
        """The S3 endpoint of the bucket's region."""
        return f"https://{self.host}"

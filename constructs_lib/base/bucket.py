"""A bucket as environment files name it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON, Own
from constructs_lib.base.change import FREELY, Change, refused
from constructs_lib.base.digitalocean import REGIONS
from constructs_lib.base.fields import BucketName, Certificate, Region, S3Address, S3Region
from constructs_lib.base.neighbour import MOVES, Neighbour
from constructs_lib.base.quantities import Days
from constructs_lib.base.settings import Settings

Access = Literal["readwrite", "read"]
"""What a key may do with a bucket, as DigitalOcean calls it (digitalocean/openapi `spacesKey_create`)."""

NO_CHECKSUMS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}
"""Spaces refuses the checksums that newer clients send unasked (plugin-barman-cloud `object_stores.md`)."""


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

    @property
    def access(self) -> Access:
        """What its key may do."""
        return "readwrite"


class AppBucket(NamedTuple):
    """What a bucket is for that an application has under this name; its text is part of what the bucket is called."""

    application: str
    name: str
    access: Access
    retired: bool = False

    def __str__(self) -> str:
        return f"{self.application}-{self.name}"

    @property
    def undo(self) -> Days:
        """For how long what was overwritten or deleted can be brought back: there is no other copy of it."""
        return Days("30d")


AnyPurpose = BucketPurpose | AppBucket
BUCKET_LETTERS = 63
"""The longest name of a bucket."""


STAYS = Change(refused("what is in the old bucket is not moved; keep it, or add another environment"))


class Bucket(Settings):
    """A bucket on DigitalOcean Spaces."""

    bucket: Annotated[BucketName, Own("bucket"), STAYS]
    region: Annotated[Region, STAYS] = Field(description="Spaces region; not every region with DOKS has Spaces.")

    @property
    def host(self) -> str:
        """The host of the S3 endpoint of the bucket's region."""
        return f"{self.region}.digitaloceanspaces.com"

    @property
    def endpoint(self) -> str:
        """The S3 endpoint of the bucket's region."""
        return f"https://{self.host}"

    @property
    def elsewhere(self) -> bool:
        """Whether it is on another S3 than Spaces."""
        return False


class AnyBucket(Bucket):
    """A bucket on Spaces, or one on another S3, which a person makes and brings the key of."""

    region: Annotated[S3Region, STAYS] = Field(description="Spaces region, or that of the other S3.")
    address: Annotated[S3Address | None, COMMON, STAYS] = Field(
        default=None, description="Endpoint of another S3 than Spaces, such as https://s3.eu-central-1.amazonaws.com."
    )

    @model_validator(mode="after")
    def _on_spaces_unless_it_says_where(self) -> Self:
        if self.address is None and self.region not in REGIONS:
            raise ValueError(
                f"region must be one of {', '.join(REGIONS)}, found '{self.region}'; or add address, of another S3"
            )
        return self

    @property
    def endpoint(self) -> str:
        """The S3 endpoint of the bucket."""
        return self.address or super().endpoint

    @property
    def elsewhere(self) -> bool:
        """Whether it is on another S3 than Spaces."""
        return self.address is not None


class TrustedBucket(AnyBucket):
    """A bucket whose server shows a certificate that not everybody trusts."""

    ca_bundle: Annotated[Certificate | None, FREELY] = Field(
        default=None, description="PEM, for another S3 than Spaces; leave out for a publicly trusted certificate."
    )

    @model_validator(mode="after")
    def _spaces_is_public_and_outside(self) -> Self:
        for key in ("ca_bundle", "inside"):
            if getattr(self, key, None) is not None and not self.elsewhere:
                raise ValueError(f"{key} is for another S3 than Spaces; add its address, or leave {key} out")
        return self

    @property
    def place(self) -> str:
        """The host, and the port if one is named, of the S3 server."""
        return self.endpoint.removeprefix("https://")


class ReachedBucket(TrustedBucket):
    """A bucket to which network policies open a way."""

    inside: Annotated[Neighbour | None, MOVES] = Field(
        default=None, description="Where the S3 server stands if it is in the same cluster."
    )

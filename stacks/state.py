"""`<env>-state`: the environment's buckets. It keeps its own state in the first of them, once that exists."""

from __future__ import annotations

from cdktf import TerraformStack
from constructs import Construct

from constructs_lib.base.bucket import AppBucket, BucketPurpose
from constructs_lib.cloud.providers import digitalocean
from constructs_lib.cloud.spaces import PrivateBucket
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment import Environment


class StateStack(TerraformStack):
    """The buckets for state, for backups and for traces, and those of applications."""

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        keep_state(self, id_, env.state)
        digitalocean.provider.DigitaloceanProvider(self, "digitalocean")
        for purpose, bucket in env.buckets.items():
            kept = purpose is BucketPurpose.STATE or isinstance(purpose, AppBucket)
            PrivateBucket(
                self,
                purpose,
                settings=bucket,
                disposable=not (kept or env.cluster.protected),
            )

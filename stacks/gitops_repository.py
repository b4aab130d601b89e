"""`gitops-repository`: the repository that all environments share, and the bucket for this stack's own state."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import TerraformStack
from constructs import Construct

from constructs_lib.base.bucket import BucketPurpose
from constructs_lib.cloud.gitops_repository import GitOpsRepository
from constructs_lib.cloud.providers import digitalocean, github
from constructs_lib.cloud.spaces import PrivateBucket
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment import Environment


class GitOpsRepositoryStack(TerraformStack):
    """The GitOps repository of `environments`, which all name the same one."""

    def __init__(self, scope: Construct, id_: str, *, environments: Sequence[Environment]) -> None:
        super().__init__(scope, id_)
        gitops = environments[0].gitops
        keep_state(self, id_, gitops.state)
        digitalocean.provider.DigitaloceanProvider(self, "digitalocean")
        github.provider.GithubProvider(self, "github", owner=gitops.organisation)
        PrivateBucket(self, BucketPurpose.STATE, settings=gitops.state)
        GitOpsRepository(self, "gitops", gitops=gitops, environments=environments)

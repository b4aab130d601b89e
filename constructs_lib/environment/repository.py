"""The GitOps repository that all environments share, and who reviews what."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.bucket import Bucket
from constructs_lib.base.change import FREELY, Change, steps
from constructs_lib.base.fields import AgeRecipient, Branch, CheckName, GitHubName, SecretName
from constructs_lib.base.settings import Settings
from constructs_lib.environment.vault import GitOpsVault


class StateBucket(Bucket):
    """The bucket for OpenTofu state."""

    use_lockfile: Annotated[bool, FREELY] = Field(
        default=True,
        description="Lock with a file in the bucket; switch off if your Spaces region refuses conditional writes.",
    )


class Reviewers(Settings):
    """Who has to agree before a workflow runs against an environment: at most six (a limit of GitHub)."""

    teams: Annotated[tuple[GitHubName, ...], COMMON] = Field(default=(), description="Team slugs of the organisation.")
    users: Annotated[tuple[GitHubName, ...], COMMON] = Field(default=(), description="User names.")

    @model_validator(mode="after")
    def _few_enough(self) -> Self:
        if len(self.teams) + len(self.users) > 6:
            raise ValueError(f"names {len(self.teams) + len(self.users)} reviewers, GitHub allows 6; remove some")
        return self


class GitOps(Settings):
    """The GitOps repository that Flux follows. All environments share it, so all files say the same here."""

    organisation: Annotated[GitHubName, COMMON]
    repository: Annotated[GitHubName, COMMON]
    infrastructure_repository: Annotated[GitHubName | None, COMMON, FREELY] = Field(
        default=None, description="The repository of these files: its environments get the same reviewers."
    )
    organisation_id: int | None = Field(
        default=None, ge=1, description="Number of the organisation, by which Vault knows its workflows."
    )
    infrastructure_repository_id: int | None = Field(
        default=None, ge=1, description="Number of the repository of these files, by which Vault knows its workflows."
    )
    default_branch: Branch = "main"
    required_checks: Annotated[tuple[CheckName, ...], FREELY] = Field(
        default=("validate",), min_length=1, description="Status checks that a pull request must pass."
    )
    approvals: Annotated[int, FREELY] = Field(default=1, ge=0, le=6, description="Reviews that a pull request needs.")
    recovery_recipient: Annotated[
        AgeRecipient | None, COMMON, Change(steps("what is sealed has to be sealed anew for it", "seal-a-secret"))
    ] = Field(default=None, description="age public key, kept offline, that can decrypt every sealed secret.")
    actions_secrets: Annotated[tuple[SecretName, ...], FREELY] = Field(
        default=(), description="Actions secrets of the repository; their sealed values come as an OpenTofu variable."
    )
    state: StateBucket = Field(description="The bucket for the state of the gitops-repository stack.")
    vault: GitOpsVault

    @property
    def full_name(self) -> str:
        """The repository as `organisation/name`."""
        return f"{self.organisation}/{self.repository}"

    @property
    def ssh_url(self) -> str:
        """The address that Flux clones with its deploy key."""
        return f"ssh://git@github.com/{self.full_name}.git"

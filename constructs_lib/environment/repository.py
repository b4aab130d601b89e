"""The GitOps repository that all environments share, and who reviews what."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.bucket import AnyBucket, Bucket
from constructs_lib.base.change import FREELY, Change, steps
from constructs_lib.base.fields import AgeRecipient
from constructs_lib.base.github_fields import Branch, CheckName, GitHubName, RepositoryName, SecretName
from constructs_lib.base.settings import Settings
from constructs_lib.environment.vault import GitOpsVault

GITHUB_ACTIONS = 15368
"""The number of the GitHub App as which jobs post their checks (api.github.com/apps/github-actions, `id`)."""

OWN_CHECKS = ("Lint and test", "Test with real tools", "Test on a real node", "Synth and diff")
"""The jobs that a pull request in the infrastructure repository has to pass."""


WORKFLOW_PATHS = ".github/**/*"
"""What only administrators may push to the GitOps repository, whatever the branch."""
ADMINISTRATORS = 5
"""The number of the role of a repository's administrators (docs.github.com, REST API endpoints for rules)."""


class Gate(NamedTuple):
    """What the default branch of a repository admits: reviewed pull requests that passed these checks of this app."""

    repository: str
    checks: tuple[str, ...]
    app: int


class StateBucket(Bucket):
    """The bucket for OpenTofu state."""

    use_lockfile: Annotated[bool, FREELY] = Field(
        default=True,
        description="Lock with a file in the bucket; switch off if your Spaces region refuses conditional writes.",
    )


class AnyStateBucket(AnyBucket, StateBucket):
    """The bucket for the state of one environment: on Spaces, or for an existing cluster on another S3."""


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
    repository: Annotated[RepositoryName, COMMON]
    infrastructure_repository: Annotated[RepositoryName, COMMON, FREELY] = Field(
        description="The repository of these files: protected alike, and its program checks the GitOps repository."
    )
    organisation_id: Annotated[int | None, FREELY] = Field(
        default=None, ge=1, description="Number of the organisation, by which Vault knows its workflows."
    )
    infrastructure_repository_id: Annotated[int | None, FREELY] = Field(
        default=None, ge=1, description="Number of the repository of these files, by which Vault knows its workflows."
    )
    default_branch: Branch = "main"
    required_checks: Annotated[tuple[CheckName, ...], FREELY] = Field(
        default=("validate",), min_length=1, description="Status checks that a pull request must pass."
    )
    checks_app: Annotated[int, FREELY] = Field(
        default=GITHUB_ACTIONS,
        gt=0,
        description="The number of the GitHub App whose status checks count; GitHub Actions unless given.",
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
    def gates(self) -> tuple[Gate, Gate]:
        """What the default branches admit, that of the GitOps repository and that of the infrastructure repository."""
        own = Gate(self.repository, self.required_checks, self.checks_app)
        return own, Gate(self.infrastructure_repository, OWN_CHECKS, GITHUB_ACTIONS)

    @property
    def full_name(self) -> str:
        """The repository as `organisation/name`."""
        return f"{self.organisation}/{self.repository}"

    @property
    def ssh_url(self) -> str:
        """The address that Flux clones with its deploy key."""
        return f"ssh://git@github.com/{self.full_name}.git"

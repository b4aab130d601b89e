"""The request bodies that the fake GitHub takes, field for field those of go-github v67; all else is refused."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tests.fakes.server import Body

NOT_KEPT = {"private", "auto_init", "gitignore_template", "license_template", "topics"}


class NewRepository(Body):
    """POST /orgs/{org}/repos (go-github `createRepoRequest`), with the defaults of the docs."""

    name: str = Field(pattern=r"^[-a-zA-Z0-9_.]{1,100}$")
    description: str | None = None
    homepage: str | None = None
    private: bool = True
    visibility: Literal["private", "internal", "public"] = "private"
    has_issues: bool = True
    has_projects: bool = True
    has_wiki: bool = True
    has_discussions: bool = False
    is_template: bool = False
    allow_merge_commit: bool = True
    allow_squash_merge: bool = True
    allow_rebase_merge: bool = True
    allow_auto_merge: bool = False
    allow_update_branch: bool = False
    delete_branch_on_merge: bool = False
    squash_merge_commit_title: Literal["PR_TITLE", "COMMIT_OR_PR_TITLE"] = "COMMIT_OR_PR_TITLE"
    squash_merge_commit_message: Literal["PR_BODY", "COMMIT_MESSAGES", "BLANK"] = "COMMIT_MESSAGES"
    merge_commit_title: Literal["PR_TITLE", "MERGE_MESSAGE"] = "MERGE_MESSAGE"
    merge_commit_message: Literal["PR_BODY", "PR_TITLE", "BLANK"] = "PR_TITLE"
    auto_init: Literal[False] = False
    gitignore_template: Literal[""] = ""
    license_template: Literal[""] = ""

    def settings(self) -> dict[str, Any]:
        """Return what was sent and is kept: `private` follows `visibility`, and topics have a call of their own."""
        return self.model_dump(exclude=NOT_KEPT, exclude_unset=True)


class RepositoryChange(NewRepository):
    """PATCH /repos/{owner}/{repo} (go-github `RepositoriesService.Edit` sends its whole `Repository`)."""

    archived: bool = False
    has_downloads: bool = True
    web_commit_signoff_required: bool = False
    topics: list[str] = Field(default_factory=list)


class Topics(Body):
    """PUT /repos/{owner}/{repo}/topics (go-github `repositoryTopics`)."""

    names: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]] = Field(max_length=20)


class BypassActor(Body):
    """go-github `BypassActor`; the types are those that the provider's schema accepts."""

    actor_id: int | None = None
    actor_type: Literal["RepositoryRole", "Team", "Integration", "OrganizationAdmin", "DeployKey"]
    bypass_mode: Literal["always", "pull_request", "exempt"]


class PullRequest(Body):
    """go-github `PullRequestRuleParameters`."""

    dismiss_stale_reviews_on_push: bool
    require_code_owner_review: bool
    require_last_push_approval: bool
    required_approving_review_count: int = Field(ge=0, le=10)
    required_review_thread_resolution: bool


class RequiredCheck(Body):
    """go-github `RuleRequiredStatusChecks`."""

    context: str = Field(min_length=1)
    integration_id: int | None = None


class StatusChecks(Body):
    """go-github `RequiredStatusChecksRuleParameters`."""

    do_not_enforce_on_create: bool = False
    required_status_checks: list[RequiredCheck]
    strict_required_status_checks_policy: bool


class FilePaths(Body):
    """go-github `RuleFileParameters`."""

    restricted_file_paths: list[str] = Field(min_length=1)


PARAMETERS = {"pull_request": PullRequest, "required_status_checks": StatusChecks, "file_path_restriction": FilePaths}


class Rule(Body):
    """go-github `RepositoryRule`, which also sends the last three fields, always empty."""

    type: Literal[
        "deletion",
        "non_fast_forward",
        "required_linear_history",
        "pull_request",
        "required_status_checks",
        "file_path_restriction",
    ]
    parameters: PullRequest | StatusChecks | FilePaths | None = None
    ruleset_source_type: Literal[""] = Field(default="", exclude=True)
    ruleset_source: Literal[""] = Field(default="", exclude=True)
    ruleset_id: Literal[0] = Field(default=0, exclude=True)

    @model_validator(mode="after")
    def _check(self) -> Self:
        expected = PARAMETERS.get(self.type, NoneType)
        if type(self.parameters) is not expected:
            raise ValueError(f"these are not the parameters of a rule of the type {self.type}")
        return self


class Ruleset(Body):
    """POST and PUT /repos/{owner}/{repo}/rulesets (go-github `Ruleset`)."""

    name: str = Field(min_length=1, max_length=100)
    target: Literal["branch", "push"]
    source: str
    source_type: Literal["Repository"]
    enforcement: Literal["disabled", "active", "evaluate"]
    bypass_actors: list[BypassActor] = Field(default_factory=list)
    conditions: dict[Literal["ref_name"], dict[Literal["include", "exclude"], list[str]]] | None = None
    rules: list[Rule]

    @model_validator(mode="after")
    def _check(self) -> Self:
        """A push has no branch (terraform-provider-github#2929), and other rules."""
        pushed = [rule.type == "file_path_restriction" for rule in self.rules]
        if self.target == "push" and (self.conditions is not None or not all(pushed)):
            raise ValueError("Target ref_name is not supported for push rulesets")
        if self.target == "branch" and (self.conditions is None or any(pushed)):
            raise ValueError("a ruleset of branches needs ref_name, and takes no rules of pushes")
        return self


class AccessLevel(Body):
    """PUT /repos/{owner}/{repo}/actions/permissions/access (go-github `RepositoryActionsAccessLevel`)."""

    access_level: Literal["none", "user", "organization", "enterprise"]


class DeployKey(Body):
    """POST /repos/{owner}/{repo}/keys (go-github `Key`)."""

    key: str
    title: str
    read_only: bool = False


class Reviewer(Body):
    """go-github `EnvReviewers`."""

    type: Literal["Team", "User"]
    id: int


class Environment(Body):
    """PUT /repos/{owner}/{repo}/environments/{name} (go-github `CreateUpdateEnvironment`)."""

    wait_timer: int = Field(default=0, ge=0, le=43200)
    prevent_self_review: bool = False
    can_admins_bypass: bool = True
    reviewers: list[Reviewer] | None = Field(default=None, max_length=6)
    deployment_branch_policy: dict[Literal["protected_branches", "custom_branch_policies"], bool] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.deployment_branch_policy and len(set(self.deployment_branch_policy.values())) != 2:
            raise ValueError("protected_branches and custom_branch_policies must be given and differ")
        if self.prevent_self_review and not self.reviewers:  # github-community-projects/safe-settings#628
            raise ValueError("required reviewers must have at least one reviewer to set prevent_self_review")
        return self


class DeploymentPolicy(Body):
    """POST and PUT …/deployment-branch-policies (go-github `DeploymentBranchPolicyRequest`)."""

    name: str = Field(min_length=1)
    type: Literal["branch", "tag"] = "branch"


class Variable(Body):
    """POST and PATCH …/variables (go-github `ActionsVariable`)."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")
    value: str


class Secret(Body):
    """PUT …/secrets/{name} (go-github `EncryptedSecret`)."""

    key_id: str
    encrypted_value: str

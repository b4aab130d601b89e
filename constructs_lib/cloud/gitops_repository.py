"""The GitOps repository on GitHub: its settings, who may change it, and which cluster may read it."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import TerraformStack, TerraformVariable, Token
from constructs import Construct

from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import deploy_key_variable
from constructs_lib.cloud.providers import github
from constructs_lib.environment import TIERS, Environment
from constructs_lib.environment.repository import ADMINISTRATORS, WORKFLOW_PATHS, Gate, GitOps

RequiredCheck = github.repository_ruleset.RepositoryRulesetRulesRequiredStatusChecksRequiredCheck


class GitOpsRepository(Construct):
    """The repository that the environments share.

    Deploy keys are read-only; the public half of each comes as a variable. Values of Actions secrets come sealed with
    the repository's public key.
    """

    def __init__(self, scope: TerraformStack, id_: str, *, gitops: GitOps, environments: Sequence[Environment]) -> None:
        super().__init__(scope, id_)
        self._stack = scope
        self._gitops = gitops
        self._teams: dict[str, float] = {}
        self._users: dict[str, float] = {}
        self._repository = github.repository.Repository(
            self,
            "repository",
            name=gitops.repository,
            description="What Flux applies to the clusters.",
            visibility="private",
            has_issues=True,
            has_projects=False,
            has_wiki=False,
            allow_merge_commit=False,
            allow_rebase_merge=False,
            allow_squash_merge=True,
            allow_auto_merge=False,
            delete_branch_on_merge=True,
            vulnerability_alerts=True,
            archive_on_destroy=True,
            lifecycle={"prevent_destroy": True},
        )
        self._name = self._repository.name
        own, infrastructure = gitops.gates
        self._protect("default-branch", own, required_linear_history=True)
        self._protect("infrastructure-default-branch", infrastructure)
        self._protect_workflows()
        self._share_the_check()
        for env in environments:
            if env.source is None:
                self._deploy_key(env)
            self._environment(env)
        self._workflow_environments(environments)
        self._actions_secrets()

    def _protect(self, id_: str, gate: Gate, **rules: bool) -> None:
        """A ruleset, since the provider's branch protection needs GraphQL and admin rights. Nobody passes it by."""
        gitops = self._gitops
        github.repository_ruleset.RepositoryRuleset(
            self,
            id_,
            name="default-branch",
            repository=self._name if gate.repository == gitops.repository else gate.repository,
            target="branch",
            enforcement="active",
            conditions={"ref_name": {"include": [f"refs/heads/{gitops.default_branch}"], "exclude": []}},
            rules={
                "deletion": True,
                "non_fast_forward": True,
                **rules,
                "pull_request": {
                    "required_approving_review_count": gitops.approvals,
                    "dismiss_stale_reviews_on_push": True,
                    "require_code_owner_review": True,
                    "require_last_push_approval": gitops.approvals > 0,
                    "required_review_thread_resolution": True,
                },
                "required_status_checks": {
                    "required_check": [RequiredCheck(context=check, integration_id=gate.app) for check in gate.checks],
                    "strict_required_status_checks_policy": True,
                    "do_not_enforce_on_create": True,
                },
            },
        )

    def _protect_workflows(self) -> None:
        """Only administrators push workflows, to whatever branch: a job can post a check of any name to any commit."""
        github.repository_ruleset.RepositoryRuleset(
            self,
            "workflows",
            name="workflows",
            repository=self._name,
            target="push",
            enforcement="active",
            bypass_actors=[
                github.repository_ruleset.RepositoryRulesetBypassActors(
                    actor_type="RepositoryRole", actor_id=ADMINISTRATORS, bypass_mode="always"
                )
            ],
            rules={"file_path_restriction": {"restricted_file_paths": [WORKFLOW_PATHS]}},
        )

    def _share_the_check(self) -> None:
        """The GitOps repository's check is an action of the infrastructure repository."""
        github.actions_repository_access_level.ActionsRepositoryAccessLevel(
            self,
            "access",
            repository=self._gitops.infrastructure_repository,
            access_level="organization",
        )

    def _deploy_key(self, env: Environment) -> None:
        variable = deploy_key_variable(env.name)
        TerraformVariable(
            self._stack,
            variable,
            type="string",
            nullable=False,
            description=f"Public half of the deploy key of {env.name}, in OpenSSH form.",
        )
        github.repository_deploy_key.RepositoryDeployKey(
            self,
            f"deploy-key-{env.name}",
            repository=self._name,
            title=env.deploy_key_title,
            key=f"${{var.{variable}}}",
            read_only=True,
        )

    def _environment(self, env: Environment) -> None:
        """The environment's GitHub environment, with what is not secret."""
        environment = self._protected_environment(env, f"environment-{env.name}", self._name)
        for name, value in _variables(env).items():
            github.actions_environment_variable.ActionsEnvironmentVariable(
                self,
                f"environment-{env.name}-{name}",
                repository=self._name,
                environment=environment,
                variable_name=name,
                value=value,
            )

    def _workflow_environments(self, environments: Sequence[Environment]) -> None:
        """Those by which Vault tells jobs apart (decision 34): what applies and what bootstraps asks reviewers."""
        repository = self._gitops.infrastructure_repository
        for env in environments:
            self._protected_environment(env, f"provision-{env.name}", repository)
            plan = env.github_environment(Purpose.PLAN)
            self._protected_environment(env, f"plan-{env.name}", repository, name=plan, reviewed=False)
        last = max(environments, key=lambda env: TIERS.index(env.tier))
        self._protected_environment(last, "bootstrap", repository, name=last.github_environment(Purpose.BOOTSTRAP))

    def _protected_environment(
        self, env: Environment, id_: str, repository: str, *, name: str | None = None, reviewed: bool = True
    ) -> str:
        """Add a GitHub environment that only the default branch may use, with reviewers where the file names some."""
        teams = [self._team(slug) for slug in env.reviewers.teams if reviewed]
        users = [self._user(name) for name in env.reviewers.users if reviewed]
        environment = github.repository_environment.RepositoryEnvironment(
            self,
            id_,
            repository=repository,
            environment=name or env.name,
            can_admins_bypass=env.tier == "sandbox",
            prevent_self_review=bool(teams or users),
            reviewers=[{"teams": teams, "users": users}] if teams or users else None,
            deployment_branch_policy={"protected_branches": False, "custom_branch_policies": True},
        ).environment
        github.repository_environment_deployment_policy.RepositoryEnvironmentDeploymentPolicy(
            self,
            f"{id_}-branch",
            repository=repository,
            environment=environment,
            branch_pattern=self._gitops.default_branch,
        )
        return environment

    def _team(self, slug: str) -> float:
        """Return the number of a team; environments with the same reviewers share one look-up."""
        if slug not in self._teams:
            team = github.data_github_team.DataGithubTeam(self, f"team-{slug}", slug=slug, summary_only=True)
            self._teams[slug] = Token.as_number(team.id)
        return self._teams[slug]

    def _user(self, name: str) -> float:
        """Return the number of a user, in the same way."""
        if name not in self._users:
            user = github.data_github_user.DataGithubUser(self, f"user-{name}", username=name)
            self._users[name] = Token.as_number(user.id)
        return self._users[name]

    def _actions_secrets(self) -> None:
        if not self._gitops.actions_secrets:
            return
        TerraformVariable(
            self._stack,
            "sealed_actions_secrets",
            type="map(string)",
            nullable=False,
            sensitive=True,
            description="Actions secrets by name, each sealed with the repository's public key (libsodium, base64).",
        )
        for name in self._gitops.actions_secrets:
            github.actions_secret.ActionsSecret(
                self,
                f"secret-{name}",
                repository=self._name,
                secret_name=name,
                encrypted_value=f'${{var.sealed_actions_secrets["{name}"]}}',
            )


def _variables(env: Environment) -> dict[str, str]:
    """What workflows of the GitOps repository need to know of an environment; none of it is secret."""
    return {"CLUSTER_NAME": env.cluster.name, "VAULT_ADDRESS": env.vault.address, "VAULT_KV_MOUNT": env.vault.kv.mount}

"""The GitOps repository: who may change it and who may read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from constructs_lib.cloud.gitops_repository import GitOpsRepository
from constructs_lib.environment import Environment
from tests.support import ROOT, Synthesised, environment, synthesised

SANDBOX, STAGING = environment(), environment("staging")


def repository(environments: Sequence[Environment] = (SANDBOX, STAGING)) -> Synthesised:
    gitops = environments[0].gitops
    return synthesised(
        lambda stack: GitOpsRepository(stack, "gitops", gitops=gitops, environments=environments),
    )


def rules(**changes: Any) -> dict[str, Any]:
    return default_branch("episodic-gitops", **changes)["rules"]


def default_branch(name: str, **changes: Any) -> dict[str, Any]:
    """Return the ruleset of the default branch of a repository."""
    made = repository([environment(**changes)])
    (own,) = made.all("github_repository")
    wanted = f"${{github_repository.{own}.name}}" if name == "episodic-gitops" else name
    ruleset = made.only("github_repository_ruleset", name="default-branch", repository=wanted)
    assert (ruleset["enforcement"], ruleset["target"]) == ("active", "branch")
    assert "bypass_actors" not in ruleset
    return ruleset


def test_the_repository_is_private_and_kept() -> None:
    found = repository().only("github_repository")
    assert (found["name"], found["visibility"]) == ("episodic-gitops", "private")
    assert found["lifecycle"] == {"prevent_destroy": True}
    assert found["archive_on_destroy"] is True
    assert found["delete_branch_on_merge"] is True
    assert found["vulnerability_alerts"] is True
    assert found["allow_auto_merge"] is False
    assert (found["has_issues"], found["has_projects"], found["has_wiki"]) == (True, False, False)


def test_only_squash_merges_so_that_history_is_a_line() -> None:
    found = repository().only("github_repository")
    allowed = [way for way in ("merge_commit", "rebase_merge", "squash_merge") if found[f"allow_{way}"]]
    assert allowed == ["squash_merge"]
    assert rules()["required_linear_history"] is True


def test_the_default_branch_changes_by_reviewed_pull_requests_alone() -> None:
    protected = rules(gitops__default_branch="trunk", gitops__approvals=2)
    assert (protected["deletion"], protected["non_fast_forward"]) == (True, True)
    review = protected["pull_request"]
    assert review["required_approving_review_count"] == 2
    assert review["dismiss_stale_reviews_on_push"] is True
    assert review["require_code_owner_review"] is True
    assert review["require_last_push_approval"] is True
    assert review["required_review_thread_resolution"] is True
    branch = default_branch("episodic-gitops", gitops__default_branch="trunk")["conditions"]
    assert branch == {"ref_name": {"include": ["refs/heads/trunk"], "exclude": []}}


def test_a_team_of_one_can_approve_its_own_push() -> None:
    assert rules(gitops__approvals=1)["pull_request"]["require_last_push_approval"] is True
    assert rules(gitops__approvals=0)["pull_request"]["require_last_push_approval"] is False


def test_status_checks_are_required_and_up_to_date() -> None:
    checks = rules(gitops__required_checks=["validate", "diff"])["required_status_checks"]
    assert checks["required_check"] == [
        {"context": "validate", "integration_id": 15368},
        {"context": "diff", "integration_id": 15368},
    ]
    assert checks["strict_required_status_checks_policy"] is True
    assert checks["do_not_enforce_on_create"] is True, "the first commit of a new repository has no checks"


def test_checks_count_only_if_the_named_app_posts_them() -> None:
    checks = rules(gitops__checks_app=7)["required_status_checks"]["required_check"]
    assert checks == [{"context": "validate", "integration_id": 7}]


def test_the_infrastructure_repository_is_guarded_alike() -> None:
    own, other = (default_branch(name, gitops__approvals=2) for name in ("episodic-gitops", "infrastructure"))
    assert other["conditions"] == own["conditions"]
    assert other["rules"]["pull_request"] == own["rules"]["pull_request"]
    assert {name for name in own["rules"] if name not in other["rules"]} == {"required_linear_history"}
    asked = other["rules"]["required_status_checks"]
    jobs = yaml.safe_load((ROOT / ".github/workflows/pull-request.yml").read_text())["jobs"]
    names = {job["name"] for name, job in jobs.items() if name != "comment"}
    assert {check["context"] for check in asked["required_check"]} == names
    assert {check["integration_id"] for check in asked["required_check"]} == {15368}
    assert asked["strict_required_status_checks_policy"] is True


def test_workflows_are_pushed_by_administrators_alone() -> None:
    ruleset = repository().only("github_repository_ruleset", target="push")
    assert ruleset["enforcement"] == "active"
    assert "conditions" not in ruleset, "a push has no branch"
    assert ruleset["rules"] == {"file_path_restriction": {"restricted_file_paths": [".github/**/*"]}}
    assert ruleset["bypass_actors"] == [{"actor_type": "RepositoryRole", "actor_id": 5, "bypass_mode": "always"}]


def test_the_check_may_be_used_by_the_gitops_repository() -> None:
    access = repository().only("github_actions_repository_access_level")
    assert (access["repository"], access["access_level"]) == ("infrastructure", "organization")


def test_no_branch_is_protected_through_graphql() -> None:
    assert not repository().all("github_branch_protection")


def test_every_environment_has_a_read_only_deploy_key() -> None:
    keys = repository().all("github_repository_deploy_key").values()
    assert {key["title"]: (key["read_only"], key["key"]) for key in keys} == {
        "flux-sandbox": (True, "${var.deploy_key_sandbox}"),
        "flux-staging": (True, "${var.deploy_key_staging}"),
    }
    variable = repository().data["variable"]["deploy_key_staging"]
    assert (variable["type"], variable["nullable"]) == ("string", False)
    assert "default" not in variable


def test_reviewers_guard_what_the_file_says() -> None:
    users = environment("staging", reviewers={"teams": ["platform"], "users": ["ada"]})
    stack = repository([SANDBOX, users])
    (team,) = stack.all("github_team", block="data")
    (user,) = stack.all("github_user", block="data")
    made = stack.all("github_repository_environment").values()
    ours = {item["environment"]: item for item in made if item["repository"] == "infrastructure"}
    assert ours.keys() == {"sandbox", "sandbox-plan", "staging", "staging-plan", "bootstrap"}
    assert ours["bootstrap"]["reviewers"] == ours["staging"]["reviewers"], "the last tier's"
    for plan in ("sandbox-plan", "staging-plan"):
        assert "reviewers" not in ours[plan]
    for guarded in (item for item in made if item["environment"] == "staging"):
        assert guarded["reviewers"] == [
            {"teams": [f"${{data.github_team.{team}.id}}"], "users": [f"${{data.github_user.{user}.id}}"]}
        ]
        assert (guarded["prevent_self_review"], guarded["can_admins_bypass"]) == (True, False)
    for free in (item for item in made if item["environment"] == "sandbox"):
        assert "reviewers" not in free
        assert (free["prevent_self_review"], free["can_admins_bypass"]) == (False, True)


def test_two_environments_with_the_same_team_look_it_up_once() -> None:
    teams = repository([STAGING, environment("production")]).all("github_team", block="data").values()
    assert {team["slug"] for team in teams} == {"platform", "operations"}
    assert all(team["summary_only"] for team in teams), "a plan needs the number, not the members"


def test_environments_deploy_from_the_default_branch_alone() -> None:
    stack = repository()
    for guarded in stack.all("github_repository_environment").values():
        assert guarded["deployment_branch_policy"] == {"protected_branches": False, "custom_branch_policies": True}
    policies = stack.all("github_repository_environment_deployment_policy").values()
    assert [policy["branch_pattern"] for policy in policies] == ["main"] * 7


def test_variables_tell_workflows_what_is_not_secret() -> None:
    found = repository([SANDBOX]).all("github_actions_environment_variable").values()
    assert {item["variable_name"]: item["value"] for item in found} == {
        "CLUSTER_NAME": "episodic-sandbox",
        "VAULT_ADDRESS": "https://vault.episodic.example:8200",
        "VAULT_KV_MOUNT": "episodic",
    }


def test_secrets_arrive_sealed() -> None:
    stack = repository([environment(gitops__actions_secrets=["CHAT_WEBHOOK"])])
    secret = stack.only("github_actions_secret")
    assert secret["secret_name"] == "CHAT_WEBHOOK"
    assert secret["encrypted_value"] == '${var.sealed_actions_secrets["CHAT_WEBHOOK"]}'
    assert "plaintext_value" not in secret
    variable = stack.data["variable"]["sealed_actions_secrets"]
    assert (variable["type"], variable["sensitive"], variable["nullable"]) == ("map(string)", True, False)
    assert "sealed_actions_secrets" not in repository().data["variable"]

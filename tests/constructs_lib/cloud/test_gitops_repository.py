"""The GitOps repository: who may change it and who may read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from constructs_lib.cloud.gitops_repository import GitOpsRepository
from constructs_lib.environment import Environment
from tests.support import Synthesised, environment, synthesised

SANDBOX, STAGING = environment(), environment("staging")


def repository(environments: Sequence[Environment] = (SANDBOX, STAGING)) -> Synthesised:
    gitops = environments[0].gitops
    return synthesised(
        lambda stack: GitOpsRepository(stack, "gitops", gitops=gitops, environments=environments),
    )


def rules(**changes: Any) -> dict[str, Any]:
    ruleset = repository([environment(**changes)]).only("github_repository_ruleset")
    assert (ruleset["name"], ruleset["enforcement"], ruleset["target"]) == ("default-branch", "active", "branch")
    return ruleset["rules"]


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
    branch = repository([environment(gitops__default_branch="trunk")]).only("github_repository_ruleset")["conditions"]
    assert branch == {"ref_name": {"include": ["refs/heads/trunk"], "exclude": []}}


def test_a_team_of_one_can_approve_its_own_push() -> None:
    assert rules(gitops__approvals=1)["pull_request"]["require_last_push_approval"] is True
    assert rules(gitops__approvals=0)["pull_request"]["require_last_push_approval"] is False


def test_status_checks_are_required_and_up_to_date() -> None:
    checks = rules(gitops__required_checks=["validate", "diff"])["required_status_checks"]
    assert checks["required_check"] == [{"context": "validate"}, {"context": "diff"}]
    assert checks["strict_required_status_checks_policy"] is True
    assert checks["do_not_enforce_on_create"] is True, "the first commit of a new repository has no checks"


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

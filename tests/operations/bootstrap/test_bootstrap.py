"""Bringing up the GitOps repository, in the order of the workflow's steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from operations.bootstrap.bootstrap import Bootstrap
from operations.secrets.entries import public_deploy_key
from tests.fakes.tofu import change
from tests.operations.bootstrap.test_gate import CHECKS, PUSHED, ruleset, workflows
from tests.operations.conftest import PASSPHRASE, Outside

NAME, PLANS = "df12-test/episodic-gitops", Path("plans.out/gitops-repository")
GITOPS = "episodic/gitops/provisioning"


def bootstrap(outside: Outside, *files: str) -> Bootstrap:
    """Return the bootstrap for these environments, whose stacks are synthesised."""
    environments = [outside.environment(file) for file in files or ("sandbox", "staging")]
    outside.synthesise(*environments)
    return Bootstrap(environments)


def test_a_check_changes_nothing_and_says_that_all_is_there(
    outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap(outside).check("df12-test", "episodic-gitops")
    assert capsys.readouterr().out == f"{NAME}: all that only you can bring is there\n"
    assert (outside.vault.writes, outside.github.writes) == ([], [])


def test_a_check_refuses_a_gate_that_is_not_seen_once_it_has_to_be_enforced(
    outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    outside.github.teams["platform"] = 11
    for number, (name, checks) in enumerate(CHECKS.items(), 1):
        scope = outside.github.add_repository(name)
        outside.github.git.begin(name, {".github/CODEOWNERS": "* @df12-test/platform\n"})
        scope["rulesets"][number] = ruleset(number, *checks)
        scope["access"] = "organization"
    bootstrap(outside).check("", "")
    with pytest.raises(ConfigError) as told:
        bootstrap(outside).check("", "", enforced=True)
    assert told.value.problems == (PUSHED,)
    outside.github.repositories["episodic-gitops"]["rulesets"][9] = workflows()
    bootstrap(outside).check("", "", enforced=True)
    assert capsys.readouterr().out.endswith(f"{NAME}: it and infrastructure change by their gates alone\n")
    assert outside.github.writes == []


def test_a_check_names_everything_that_is_missing_at_once(outside: Outside) -> None:
    outside.vault.put(GITOPS, spaces_access_key_id="id", spaces_secret_access_key="secret", github_app_id="1")
    outside.vault.put(f"{GITOPS}/promote", other="x")
    for name in ("sandbox", "staging"):
        outside.vault.put(f"episodic/{name}/platform/digitalocean-dns", other="x")
    with pytest.raises(ConfigError) as told:
        bootstrap(outside).check("", "")
    assert [problem.rpartition(": is missing")[0] for problem in told.value.problems] == [
        f"Vault {GITOPS}: digitalocean_token",
        f"Vault {GITOPS}: github_app_key",
        f"Vault {GITOPS}/promote: github_token",
        "Vault episodic/sandbox/platform/digitalocean-dns: token",
        "Vault episodic/staging/platform/digitalocean-dns: token",
    ]
    assert outside.github.requests == []


def test_a_check_for_another_repository_ends_before_anything_is_asked(outside: Outside) -> None:
    with pytest.raises(ConfigError) as told:
        bootstrap(outside).check("acme", "other")
    assert told.value.problems == (
        "environments/*.yaml: gitops.organisation: is 'df12-test', asked for was 'acme'; make them equal",
        "environments/*.yaml: gitops.repository: is 'episodic-gitops', asked for was 'other'; make them equal",
    )
    assert outside.vault.requests == []


def test_production_shares_its_digitalocean_team_with_nothing(outside: Outside) -> None:
    files = ("sandbox", "staging", "production")
    bootstrap(outside, *files).check("", "")
    outside.digitalocean.teams["do-token-staging"] = "sandbox"
    bootstrap(outside, *files).check("", "")
    outside.digitalocean.teams["do-token-production"] = "sandbox"
    with pytest.raises(ConfigError) as told:
        bootstrap(outside, *files).check("", "")
    shared = "production is in one DigitalOcean team with sandbox, staging, whose tokens may delete it"
    assert told.value.problems == (f"{shared}; give it a team of its own",)


def test_what_plans_is_of_the_team_of_what_applies(outside: Outside) -> None:
    outside.vault.put("episodic/sandbox/provisioning/plan", digitalocean_token="do-token-staging")
    with pytest.raises(ConfigError, match="sandbox/provisioning/plan: digitalocean_token: is of another DigitalOcean"):
        bootstrap(outside).check("", "")


def test_an_organisation_that_the_token_cannot_see_is_told(outside: Outside) -> None:
    outside.github.organisation = "another"
    with pytest.raises(ConfigError, match=r"organisation df12-test.*; correct gitops\.organisation, or let the token"):
        bootstrap(outside).check("", "")


def test_secrets_are_made_once_for_the_repository_and_every_environment(
    outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = bootstrap(outside)
    steps.secrets(dry_run=True)
    assert outside.vault.writes == []
    dry = capsys.readouterr().out.splitlines()
    assert "sandbox: Vault episodic/sandbox/flux: age_key, deploy_key would be made" in dry
    assert "bucket episodic-sandbox-state: would be made" in dry
    assert "Vault episodic/sandbox/provisioning/plan: key episodic-sandbox-plan would be made" in dry
    assert (outside.spaces.buckets(), outside.digitalocean.spaces_keys) == ([], {})
    assert f"gitops-repository: Vault {GITOPS}: state_passphrase would be made" in dry
    steps.secrets(dry_run=False)
    wet = capsys.readouterr().out.splitlines()
    assert sorted(wet) == sorted(line.replace("would be made", "made") for line in dry)
    assert len(outside.vault.held(GITOPS)["state_passphrase"]) >= 16
    assert outside.vault.held(GITOPS)["github_token"] == outside.github.token
    writes = len(outside.vault.writes)
    for dry_run in (True, False):
        steps.secrets(dry_run=dry_run)
        names = ("sandbox", "staging", "gitops-repository")
        assert capsys.readouterr().out.splitlines() == [f"{name}: Vault holds everything" for name in names]
    assert len(outside.vault.writes) == writes


def test_a_layout_is_seeded_after_the_repository_is_made(outside: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    steps = bootstrap(outside, "sandbox")
    steps.layout(steps.environments, dry_run=True)
    assert capsys.readouterr().out == f"{NAME}: would be made and seeded\n"
    assert outside.github.repositories == {}
    steps.layout(steps.environments, dry_run=False)
    assert f"{NAME}: made\n" in capsys.readouterr().out
    assert "clusters/sandbox/source.yaml" in outside.github.git.files("episodic-gitops")
    steps.layout(steps.environments, dry_run=True)
    assert capsys.readouterr().out == f"{NAME}: the layout is as it should be\n"
    writes = [request.path for request in outside.github.writes]
    steps.layout(steps.environments, dry_run=False)
    assert f"{NAME}: made\n" not in capsys.readouterr().out
    assert "/orgs/df12-test/repos" not in "".join(request.path for request in outside.github.writes[len(writes) :])


def test_a_dry_run_names_the_files_that_differ(outside: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    steps = bootstrap(outside, "sandbox")
    steps.layout(steps.environments, dry_run=False)
    capsys.readouterr()
    steps.environments = [outside.environment("sandbox", platform__vault_eso__replicas=2)]
    writes = len(outside.github.git.log("episodic-gitops"))
    steps.layout(steps.environments, dry_run=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith(f"{NAME}: ") and line.endswith(" would be put right") for line in lines)
    assert len(outside.github.git.log("episodic-gitops")) == writes


def test_settings_are_planned_and_exactly_that_plan_is_applied(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    outside.github.add_repository("episodic-gitops")
    outside.tofu.changes["gitops-repository"] = [
        change("github_repository.r", name="episodic-gitops"),
        change("digitalocean_tag.t", name="t"),
    ]
    steps = bootstrap(outside)
    steps.secrets(dry_run=False)
    PLANS.mkdir(parents=True)
    (PLANS / "old").touch()
    steps.settings(PLANS, dry_run=False)
    assert not (PLANS / "old").exists()
    file = str((PLANS / "gitops-repository.tfplan").absolute())
    assert [call.arguments for call in outside.tofu.calls("apply")] == [["apply", "-json", file]]
    assert "episodic-gitops-state" in outside.spaces.buckets()
    first, second = outside.tofu.calls("plan")
    assert second.files["adopt.tf.json"] == {"import": [{"to": "github_repository.r", "id": "episodic-gitops"}]}
    assert "-lock=true" in first.arguments
    assert first.environ["GITHUB_TOKEN"] == outside.github.token
    assert first.environ["GITHUB_BASE_URL"] == f"{outside.github.url}/"
    for env in steps.environments:
        assert first.environ[f"TF_VAR_deploy_key_{env.name}"] == public_deploy_key(env)
    summary = Path("summary.md").read_text()
    assert summary.startswith(f"## {NAME}\n\n| stack | add")
    assert "| gitops-repository | 1 | 0 | 0 | 0 | 1 |" in summary
    assert "gitops-repository: 2 resources to change\n" in capsys.readouterr().out


def test_a_first_dry_run_of_settings_needs_neither_keys_nor_a_bucket(outside: Outside) -> None:
    outside.tofu.changes["gitops-repository"] = [change("github_repository.r", name="x")]
    steps = bootstrap(outside, "sandbox")
    steps.settings(PLANS, dry_run=True)
    (plan,) = outside.tofu.calls("plan")
    assert plan.environ["TF_VAR_deploy_key_sandbox"] == "to be made"
    assert len(plan.environ["TF_VAR_state_passphrase"]) >= 16
    assert (outside.spaces.buckets(), outside.tofu.calls("apply"), outside.vault.writes) == ([], [], [])


def test_a_later_dry_run_locks_nothing_and_uses_the_keys_that_are_there(outside: Outside) -> None:
    steps = bootstrap(outside, "sandbox")
    steps.secrets(dry_run=False)
    steps.settings(PLANS, dry_run=False)
    steps.settings(PLANS, dry_run=True)
    first, second = outside.tofu.calls("plan")
    assert ("-lock=true" in first.arguments, "-lock=false" in second.arguments) == (True, True)
    assert second.environ["TF_VAR_deploy_key_sandbox"].startswith("ssh-ed25519 ")
    assert second.environ["TF_VAR_state_passphrase"] == first.environ["TF_VAR_state_passphrase"]
    assert outside.tofu.calls("apply") == [], "nothing changes"


def test_settings_need_a_passphrase_that_is_kept(outside: Outside) -> None:
    with pytest.raises(ConfigError, match=f"Vault {GITOPS}: state_passphrase: is missing"):
        bootstrap(outside, "sandbox").settings(PLANS, dry_run=False)
    assert outside.tofu.calls() == []


def test_a_passphrase_of_a_person_is_kept(outside: Outside) -> None:
    outside.vault.put(GITOPS, state_passphrase=PASSPHRASE, github_token="t", **outside.account)
    bootstrap(outside, "sandbox").secrets(dry_run=False)
    assert outside.vault.held(GITOPS)["state_passphrase"] == PASSPHRASE

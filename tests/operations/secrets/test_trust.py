"""Whom Vault trusts: which job may be what, and what each role may read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.secrets.policies import ENVIRONMENT_PURPOSES, GITOPS_PURPOSES
from operations.secrets.trust import WORKFLOWS, Trust, trusts
from tests.support import ROOT, environment

ENVIRONMENTS = ("sandbox", "staging", "production")
FLOWS = "df12-test/infrastructure/.github/workflows"
MAKE = ("create", "read", "update")

READS = {
    "plan": {"provisioning/state": ("read",), "provisioning/plan": ("read",)},
    "drift": {"provisioning/state": ("read",), "provisioning/plan": ("read",)},
    "apply": dict.fromkeys(("provisioning", "provisioning/state", "flux"), ("read",)),
    "bootstrap": {
        "provisioning": ("read",),
        **dict.fromkeys(("provisioning/state", "provisioning/plan", "flux", "platform/*"), MAKE),
    },
}
"""What each role of an environment may do with the entries below its name."""

GITOPS = {
    "bootstrap": {"": MAKE, "/promote": ("read",), "/drift": ("read",)},
    "promote": {"/promote": ("read",)},
    "drift": {"/drift": ("read",)},
    "integration": {"/integration": ("read",)},
}


def trust(*environments: Environment) -> Trust:
    """Return what the one Vault of these environments holds."""
    (found,) = trusts(environments or [environment(name) for name in ENVIRONMENTS])
    return found


def entries(found: Trust, policy: str) -> dict[str, tuple[str, ...]]:
    """Return what a policy allows with entries."""
    rules = {rule.path: rule.capabilities for rule in found.policies[policy]}
    data = "episodic/data/"
    return {path.removeprefix(data): may for path, may in rules.items() if path.startswith(data)}


def test_what_watches_may_read_when_anything_expires_but_not_what() -> None:
    found = trust()
    notes = {
        (name, rule.path.removeprefix("episodic/"), rule.capabilities)
        for name, rules in found.policies.items()
        for rule in rules
        if rule.path.startswith(("episodic/metadata/", "episodic/subkeys/")) and "production" in f"{name}{rule.path}"
    }
    alerting = [f"platform/alerting/{receiver}" for receiver in ("chat", "heartbeat", "on-call")]
    paths = ("provisioning", "provisioning/plan", "provisioning/state", "flux", "platform/digitalocean-dns", *alerting)
    parts = [f"{part}/production/{path}" for path in paths for part in ("metadata", "subkeys")]
    assert notes == {("episodic-production-drift", part, ("read",)) for part in parts}
    of_github = [rule.path for rule in found.policies["episodic-gitops-drift"] if "/data/" not in rule.path]
    places = [f"gitops/provisioning{path}" for path in ("", "/promote", "/drift", "/integration")]
    assert of_github == [f"episodic/{part}/{path}" for path in places for part in ("metadata", "subkeys")]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_each_purpose_opens_what_it_needs_of_its_environment_and_no_other(name: str) -> None:
    found = trust()
    for purpose in ENVIRONMENT_PURPOSES:
        wanted = {f"{name}/{path}": may for path, may in READS[purpose].items()}
        assert entries(found, f"episodic-{name}-{purpose}") == wanted
    for purpose in GITOPS_PURPOSES:
        wanted = {f"gitops/provisioning{path}": may for path, may in GITOPS[purpose].items()}
        assert entries(found, f"episodic-gitops-{purpose}") == wanted


def test_only_what_applies_may_tell_vault_the_clusters_keys_and_nothing_else_of_the_login() -> None:
    found, path = trust(), "auth/jwt-sandbox/config"
    rules = {
        name: rule for name, rules in found.policies.items() for rule in rules if rule.path.startswith("auth/jwt-s")
    }
    sandbox = {name: rule for name, rule in rules.items() if rule.path == path and "sandbox" in name}
    assert {name: rule.capabilities for name, rule in sandbox.items()} == {
        "episodic-sandbox-plan": ("read",),
        "episodic-sandbox-apply": MAKE,
    }
    keys = {"jwt_validation_pubkeys": [], "bound_issuer": []}
    assert sandbox["episodic-sandbox-apply"].block()["allowed_parameters"] == keys
    assert {rule.path.rpartition("/")[2] for rule in rules.values()} == {"config"}


def test_a_job_is_known_by_numbers_its_workflow_on_the_default_branch_and_its_environment() -> None:
    role = trust().writes["auth/github/role/episodic-production-apply"]
    assert role == {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["https://vault.episodic.example:8200"],
        "bound_claims_type": "string",
        "bound_claims": {
            "repository_id": "1001",
            "repository_owner_id": "4242",
            "job_workflow_ref": [f"{FLOWS}/provision-stage.yml@refs/heads/main"],
            "environment": "production",
        },
        "token_policies": ["episodic-production-apply"],
        "token_ttl": 1200,
        "token_max_ttl": 1200,
    }


def test_jobs_that_no_reviewer_agrees_to_reach_no_entry_of_what_applies() -> None:
    found = trust()
    for path, role in found.writes.items():
        claims = role.get("bound_claims", {})
        if claims and claims.get("environment") not in {*ENVIRONMENTS, "bootstrap"}:
            opened = [entry for policy in role["token_policies"] for entry in entries(found, policy)]
            assert opened, path
            assert all(entry.endswith(("/state", "/plan", "/promote", "/drift", "/integration")) for entry in opened)


def test_the_environments_of_the_claims_are_those_of_the_jobs() -> None:
    found, seen = trust(), set[str]()
    for purpose, files in WORKFLOWS.items():
        for file in files:
            flow: Any = yaml.safe_load((ROOT / ".github/workflows" / file).read_text())
            for name, job in flow["jobs"].items():
                if "id-token" not in job["permissions"] or "uses" in job or (name == "apply") != (purpose == "apply"):
                    continue
                seen.add(purpose)
                asked = job.get("environment", "").replace("${{ inputs.environment }}", "staging")
                asked = asked.replace("${{ matrix.environment.name }}", "staging")
                own = "staging" if purpose in ENVIRONMENT_PURPOSES and purpose != Purpose.BOOTSTRAP else "gitops"
                claims = found.writes[f"auth/github/role/episodic-{own}-{purpose}"]["bound_claims"]
                assert (file, name, claims.get("environment", "")) == (file, name, asked)
                assert f"{FLOWS}/{file}@refs/heads/main" in claims["job_workflow_ref"]
    assert seen == set(Purpose)


def test_each_store_of_a_cluster_has_an_account_a_role_and_a_policy_of_its_own() -> None:
    found = trust()
    for store, role, path in (
        ("vault", "external-secrets", "staging/platform/*"),
        ("vault-flux", "external-secrets-flux", "staging/flux"),
    ):
        assert found.writes[f"auth/jwt-staging/role/{role}"] == {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["vault"],
            "bound_subject": f"system:serviceaccount:external-secrets:{store}",
            "token_policies": [f"episodic-staging-{store}"],
            "token_ttl": 1200,
            "token_max_ttl": 1200,
        }
        assert entries(found, f"episodic-staging-{store}") == {path: ("read",)}


def test_a_cluster_whose_api_server_reviews_tokens_and_one_with_an_approle() -> None:
    auth: dict[str, Any] = {"method": "kubernetes", "mount": "k8s", "role": "eso", "audiences": ["vault", "issuer"]}
    reviewed = trust(environment(vault__auth=auth))
    assert reviewed.methods == {"github": "jwt", "k8s": "kubernetes"}
    role = reviewed.writes["auth/k8s/role/eso-flux"]
    assert role["bound_service_account_names"] == ["vault-flux"]
    assert (role["bound_service_account_namespaces"], role["audience"]) == (["external-secrets"], "vault")
    (config,) = (rule for rule in reviewed.policies["episodic-sandbox-apply"] if rule.path == "auth/k8s/config")
    assert config.block()["allowed_parameters"]["disable_local_ca_jwt"] == [True]
    shared = trust(environment(vault__auth={"method": "approle", "mount": "approle", "role_id": "an-id"}))
    where = "auth/approle/role/episodic-sandbox-external-secrets"
    assert shared.writes[where]["token_policies"] == ["episodic-sandbox-vault", "episodic-sandbox-vault-flux"]
    assert shared.writes[f"{where}/role-id"] == {"role_id": "an-id"}
    assert not [rule for rule in shared.policies["episodic-sandbox-apply"] if rule.path.startswith("auth/")]


def test_each_vault_has_its_own() -> None:
    other = environment("staging", vault__namespace="team")
    found = trusts([environment(), other])
    assert [item.server.namespace for item in found] == [None, "team"]
    assert "auth/github/role/episodic-staging-plan" in found[1].writes
    assert not [path for path in found[0].writes if "staging" in path]
    assert "auth/github/role/episodic-gitops-promote" in found[0].writes


def test_the_one_role_for_everything_is_to_go_and_no_role_of_now_is() -> None:
    found = trust()
    assert {"auth/github/role/episodic-sandbox", "sys/policies/acl/episodic-gitops"} <= found.former
    assert "auth/github/role/episodic-sandbox-integration" in found.former
    assert not found.former & found.writes.keys()


def test_a_number_that_is_missing_is_asked_for() -> None:
    with pytest.raises(ConfigError) as told:
        trusts([environment(gitops__organisation_id=None, gitops__infrastructure_repository_id=None)])
    first, second = told.value.problems
    assert first.startswith("environments/*.yaml: gitops.organisation_id: is missing; set it: `gh api orgs/")
    assert second.startswith("environments/*.yaml: gitops.infrastructure_repository_id: is missing; set it")


def test_it_is_printed_as_commands_and_as_json() -> None:
    found = trust(environment())
    text = found.as_commands()
    assert "vault auth enable -path=jwt-sandbox jwt\n" in text
    policy = "vault policy write episodic-sandbox-vault-flux - <<'EOF'\npath \"episodic/data/sandbox/flux\" {\n"
    assert f'{policy}  capabilities = ["read"]\n}}\nEOF\n' in text
    assert '    "jwt_validation_pubkeys" = []\n' in text
    data = found.as_json()
    assert data["policies"]["episodic-sandbox-vault"] == {
        "path": {"episodic/data/sandbox/platform/*": {"capabilities": ["read"]}}
    }
    assert data["writes"] == found.writes
    assert (data["address"], data["methods"]) == (found.server.address, {"github": "jwt", "jwt-sandbox": "jwt"})


def test_no_workflow_runs_with_a_right_that_it_was_not_given_here() -> None:
    jobs = {
        path.name
        for path in Path(ROOT / ".github/workflows").glob("*.yml")
        if "id-token: write" in path.read_text(encoding="utf-8")
    }
    assert jobs == {file for files in WORKFLOWS.values() for file in files}

"""What Vault opens to an application: its own entries, those of the services that it uses, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.environment import Environment
from operations.secrets.policies import READ
from operations.secrets.trust import Trust, cluster_trust, trusts
from tests.support import environment

APPLICATIONS: dict[str, Any] = {
    "my-shop": {"owner": "shops", "uses": {"postgres": {"main": {}}, "secrets": {"stripe": ["api_key"]}}},
    "blog": {"owner": "blogs", "uses": {"rabbitmq": {"main": {}}, "valkey": {"main": {}}}},
    "lone": {"owner": "shops"},
    "closed": {"owner": "shops", "uses": {"postgres": {"main": {}}}, "retired": True},
}
OPENED = {
    "my-shop": {"apps/my-shop/*", "postgres/main/my_shop"},
    "blog": {"apps/blog/*", "rabbitmq/main/blog", "valkey/main"},
    "lone": {"apps/lone/*"},
    "closed": {"apps/closed/*"},
}
"""What each reads, below the platform's path."""
APPROLE = {"method": "approle", "mount": "approle", "role_id": "an-id"}


def with_applications(**changes: Any) -> Environment:
    return environment(applications=APPLICATIONS, **changes)


def of_all(env: Environment) -> Trust:
    (found,) = trusts([env])
    return found


@pytest.mark.parametrize("described", [of_all, cluster_trust], ids=["with workflows", "without"])
@pytest.mark.parametrize("name", APPLICATIONS)
def test_its_role_reads_what_is_its_own_and_what_it_uses_and_nothing_else(described: Any, name: str) -> None:
    found = described(with_applications())
    role = found.writes[f"auth/jwt-sandbox/role/external-secrets-app-{name}"]
    (policy,) = role["token_policies"]
    rules = found.policies[policy]
    assert {rule.path for rule in rules} == {f"episodic/data/sandbox/platform/{path}" for path in OPENED[name]}
    assert {(rule.capabilities, rule.parameters) for rule in rules} == {(READ, None)}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_its_role_is_for_one_account_in_its_own_namespace(name: str) -> None:
    role = of_all(with_applications()).writes[f"auth/jwt-sandbox/role/external-secrets-app-{name}"]
    assert role["bound_subject"] == f"system:serviceaccount:{name}:vault"
    auth = {"method": "kubernetes", "mount": "k8s", "role": "eso", "audiences": ["vault", "issuer"]}
    reviewed = of_all(with_applications(vault__auth=auth)).writes[f"auth/k8s/role/eso-app-{name}"]
    assert reviewed["bound_service_account_names"] == ["vault"]
    assert reviewed["bound_service_account_namespaces"] == [name]
    assert reviewed["token_policies"] == role["token_policies"]


def test_with_an_approle_vault_knows_no_application() -> None:
    found = of_all(with_applications(vault__auth=APPROLE))
    assert not [name for name in [*found.policies, *found.writes] if "-app-" in name]


def test_each_role_of_a_cluster_names_a_policy_that_is_there_and_no_workflow_has_one() -> None:
    found = cluster_trust(with_applications())
    named = {policy for role in found.writes.values() for policy in role["token_policies"]}
    assert named == found.policies.keys()
    assert len(named) == len(APPLICATIONS) + 2

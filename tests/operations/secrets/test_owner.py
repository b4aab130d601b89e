"""What Vault's owner does, against a Vault that keeps what it is given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from constructs_lib.base.errors import ConfigError
from operations.secrets.owner import apply, differences
from operations.secrets.trust import Trust, trusts
from tests.fakes.server import Fault
from tests.operations.conftest import Outside

Make = Callable[[], Trust]


@pytest.fixture
def described(outside: Outside) -> Trust:
    """What the sandbox asks of its Vault."""
    (found,) = trusts([outside.environment()])
    return found


def short(described: Trust) -> list[str]:
    return [sentence.partition(": ")[2] for sentence in differences(described)]


def test_an_empty_vault_lacks_everything_and_is_as_it_should_be_once_it_was_made(
    outside: Outside, described: Trust
) -> None:
    lacking = short(described)
    assert "auth/jwt-sandbox: jwt is not enabled" in lacking
    assert "sys/policies/acl/episodic-sandbox-plan: is missing" in lacking
    assert "auth/github/role/episodic-sandbox-apply: is missing" in lacking
    assert outside.vault.writes == []
    assert apply(described) == len(lacking)
    assert outside.vault.mounts == {"github": "jwt", "jwt-sandbox": "jwt"}
    assert 'path "episodic/data/sandbox/flux"' in outside.vault.policies["episodic-sandbox-vault-flux"]
    assert outside.vault.auth["github/role/episodic-sandbox-apply"]["token_ttl"] == 1200
    assert short(described) == []
    writes = len(outside.vault.writes)
    assert apply(described) == 0
    assert len(outside.vault.writes) == writes


def test_a_policy_is_there_before_the_role_that_names_it_and_a_former_role_goes_last(
    outside: Outside, described: Trust
) -> None:
    outside.vault.mounts["github"] = "jwt"
    outside.vault.auth["github/role/episodic-sandbox"] = {"token_policies": ["root"]}
    outside.vault.policies["episodic-sandbox"] = "everything"
    outside.vault.auth["github/role/another-project"] = {}
    apply(described)
    kinds = [request.path.split("/")[2] for request in outside.vault.writes]
    assert kinds.index("auth") > max(number for number, path in enumerate(kinds[:-2]) if path == "sys")
    assert [request.method for request in outside.vault.writes[-2:]] == ["DELETE", "DELETE"]
    assert "github/role/another-project" in outside.vault.auth
    assert "github/role/episodic-sandbox" not in outside.vault.auth
    assert "episodic-sandbox" not in outside.vault.policies


def test_what_somebody_changed_by_hand_is_named_and_put_right(outside: Outside, described: Trust) -> None:
    apply(described)
    outside.vault.policies["episodic-sandbox-plan"] = 'path "*" { capabilities = ["sudo"] }'
    claims = outside.vault.auth["github/role/episodic-sandbox-apply"]["bound_claims"]
    outside.vault.auth["github/role/episodic-sandbox-apply"]["bound_claims"] = {
        "repository_id": claims["repository_id"]
    }
    outside.vault.auth["github/role/episodic-sandbox"] = {"token_policies": ["root"]}
    wrong = short(described)
    assert wrong == [
        "sys/policies/acl/episodic-sandbox-plan: differs",
        "auth/github/role/episodic-sandbox-apply: differs",
        "auth/github/role/episodic-sandbox: is of former times, and opens what no purpose may",
    ]
    assert apply(described) == 3
    assert short(described) == []


def test_an_application_that_left_the_file_logs_in_no_more(outside: Outside, described: Trust) -> None:
    apply(described)
    (alone,) = trusts([outside.environment(applications={})])
    outside.vault.policies["episodic-staging-vault-app-episodic"] = "of another cluster"
    outside.vault.auth["jwt-sandbox/role/of-somebody"] = {}
    gone = [
        "auth/jwt-sandbox/role/external-secrets-app-episodic",
        "sys/policies/acl/episodic-sandbox-vault-app-episodic",
    ]
    assert short(alone) == [f"{path}: is of former times, and opens what no purpose may" for path in gone]
    assert apply(alone) == 2
    assert [request.path for request in outside.vault.writes[-2:]] == [f"/v1/{path}" for path in gone], "roles first"
    assert short(alone) == []
    assert "episodic-staging-vault-app-episodic" in outside.vault.policies
    assert "jwt-sandbox/role/of-somebody" in outside.vault.auth


def test_what_vault_says_in_another_form_is_no_difference(outside: Outside, described: Trust) -> None:
    apply(described)
    role = outside.vault.auth["jwt-sandbox/role/external-secrets"]
    role |= {"token_ttl": "1200", "token_type": "default"}
    outside.vault.policies["episodic-sandbox-plan"] = outside.vault.policies["episodic-sandbox-plan"].strip()
    assert short(described) == []


def test_a_mount_of_another_kind_is_not_touched(outside: Outside, described: Trust) -> None:
    outside.vault.mounts["jwt-sandbox"] = "kubernetes"
    for look in (lambda: apply(described), lambda: [*differences(described)]):
        with pytest.raises(ConfigError, match="auth/jwt-sandbox is a method of kind kubernetes, wanted is jwt; choose"):
            look()
    assert outside.vault.writes == []


def test_an_owner_that_may_not_is_told(outside: Outside, described: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.example")
    outside.vault.faults.append(Fault("GET", "/v1/sys/auth", status=403))
    with pytest.raises(ConfigError, match="forbids sys/auth to VAULT_TOKEN"):
        apply(described)

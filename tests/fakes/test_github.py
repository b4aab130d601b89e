"""The fake GitHub refuses what GitHub refuses. What the provider makes of it is tested with OpenTofu elsewhere."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from nacl.public import PublicKey, SealedBox

from tests.fakes.github import FakeGitHub

KEY = {"title": "flux", "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 flux@staging", "read_only": True}
RULESET: dict[str, Any] = {
    "name": "main",
    "target": "branch",
    "source": "gitops",
    "source_type": "Repository",
    "enforcement": "active",
    "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
    "rules": [{"type": "deletion"}],
}


class Client:
    """Sends requests with the right token."""

    def __init__(self, fake: FakeGitHub) -> None:
        self.fake = fake

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.fake.token}"} | headers
        return requests.request(method, f"{self.fake.url}/api/v3{path}", json=body, headers=headers, timeout=5)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeGitHub]:
    """One server for all tests, because it takes half a second to stop."""
    with FakeGitHub(teams={"platform": 77}, users={"lead": 5}) as fake:
        yield fake


@pytest.fixture
def call(fake: FakeGitHub) -> Client:
    """A client of the fake, which then has just the repository `gitops` with the environment `staging`."""
    fake.repositories.clear()
    fake.refused.clear()
    fake.add_repository("gitops")
    client = Client(fake)
    assert client("PUT", "/repos/df12-test/gitops/environments/staging", {}).status_code == 200
    return client


def seal(fake: FakeGitHub, text: str) -> str:
    """Encrypt as GitHub's documentation tells a client to."""
    return b64encode(SealedBox(PublicKey(b64decode(fake.public_key))).encrypt(text.encode())).decode()


@pytest.mark.parametrize("header", ["", "Bearer wrong", "gh-token"])
def test_a_wrong_token_is_refused(call: Client, header: str) -> None:
    assert call("GET", "/orgs/df12-test", Authorization=header).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/orgs/other",
        "/orgs/df12-test/teams/unknown",
        "/users/unknown",
        "/repos/other/gitops",
        "/repos/df12-test/unknown",
        "/repos/df12-test/gitops/rulesets/1",
        "/repos/df12-test/gitops/keys/1",
        "/repos/df12-test/gitops/environments/unknown",
        "/repos/df12-test/gitops/environments/unknown/variables/X",
        "/repos/df12-test/gitops/actions/secrets/X",
        "/repositories/1/environments/staging/secrets/public-key",
    ],
)
def test_what_is_not_there_is_404_but_no_unknown_route(call: Client, path: str) -> None:
    assert call("GET", path).status_code == 404
    assert call.fake.refused == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/user"), ("POST", "/user/repos"), ("PUT", "/orgs/df12-test"), ("OPTIONS", "/repos/df12-test/gitops")],
)
def test_an_unknown_route_is_404_and_logged(call: Client, method: str, path: str) -> None:
    assert call(method, path).status_code == 404
    assert len(call.fake.refused) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/orgs/df12-test/repos", {"name": "new", "unknown": 1}),
        ("POST", "/orgs/df12-test/repos", {"name": "new", "has_wiki": "false"}),
        ("POST", "/orgs/df12-test/repos", {"name": "not a name"}),
        ("POST", "/orgs/df12-test/repos", None),
        ("PATCH", "/repos/df12-test/gitops", {"name": "gitops", "squash_merge_commit_title": "TITLE"}),
        ("PUT", "/repos/df12-test/gitops/topics", {"names": ["Upper"]}),
        ("POST", "/repos/df12-test/gitops/rulesets", RULESET | {"rules": [{"type": "unknown"}]}),
        ("POST", "/repos/df12-test/gitops/rulesets", RULESET | {"rules": [{"type": "pull_request"}]}),
        ("POST", "/repos/df12-test/gitops/rulesets", RULESET | {"target": "push"}),
        ("POST", "/repos/df12-test/gitops/rulesets", RULESET | {"conditions": None}),
        ("PUT", "/repos/df12-test/gitops/actions/permissions/access", {"access_level": "everybody"}),
        ("POST", "/repos/df12-test/gitops/keys", KEY | {"read_only": "yes"}),
        ("PUT", "/repos/df12-test/gitops/environments/staging", {"wait_timer": -1}),
        ("PUT", "/repos/df12-test/gitops/environments/staging", {"prevent_self_review": True}),
        ("PUT", "/repos/df12-test/gitops/environments/x", {"deployment_branch_policy": {"protected_branches": True}}),
        ("POST", "/repos/df12-test/gitops/actions/variables", {"name": "X", "value": 1}),
        ("PUT", "/repos/df12-test/gitops/actions/secrets/X", {"plaintext": "x"}),
    ],
)
def test_a_body_that_does_not_fit_is_422_and_logged(call: Client, method: str, path: str, body: Any) -> None:
    assert call(method, path, body).status_code == 422
    assert len(call.fake.refused) == 1


def test_a_repository_is_made_once(call: Client) -> None:
    first = call("POST", "/orgs/df12-test/repos", {"name": "new", "visibility": "private", "has_wiki": False})
    assert (first.status_code, first.json()["private"], first.json()["has_issues"]) == (201, True, True)
    assert call.fake.repositories["new"]["settings"]["has_wiki"] is False
    second = call("POST", "/orgs/df12-test/repos", {"name": "new"})
    assert second.status_code == 422
    assert "name already exists on this account" in second.text


def test_a_deleted_repository_is_gone_with_all_it_had(call: Client) -> None:
    assert call("DELETE", "/repos/df12-test/gitops").status_code == 204
    assert call("GET", "/repos/df12-test/gitops").status_code == 404
    assert call("GET", "/repos/df12-test/gitops/environments/staging").status_code == 404
    assert call.fake.repositories == {}


def test_a_key_belongs_to_one_repository_and_loses_its_comment(call: Client) -> None:
    call.fake.add_repository("other")
    made = call("POST", "/repos/df12-test/gitops/keys", KEY)
    assert (made.status_code, made.json()["key"]) == (201, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5")
    assert "key is already in use" in call("POST", "/repos/df12-test/other/keys", KEY).text
    assert call("POST", "/repos/df12-test/other/keys", KEY | {"key": "no key"}).status_code == 422
    assert call("DELETE", f"/repos/df12-test/gitops/keys/{made.json()['id']}").status_code == 204
    assert call("POST", "/repos/df12-test/other/keys", KEY).status_code == 201


def test_a_ruleset_has_a_name_of_its_own_and_keeps_what_a_change_leaves_out(call: Client) -> None:
    team = {"actor_id": 77, "actor_type": "Team", "bypass_mode": "always"}
    admins = {"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "always"}
    made = call("POST", "/repos/df12-test/gitops/rulesets", RULESET | {"bypass_actors": [team, admins]}).json()
    assert [actor["actor_id"] for actor in made["bypass_actors"]] == [77, None]
    assert "Name must be unique" in call("POST", "/repos/df12-test/gitops/rulesets", RULESET).text
    changed = call(
        "PUT", f"/repos/df12-test/gitops/rulesets/{made['id']}", RULESET | {"enforcement": "disabled"}
    ).json()
    assert (changed["enforcement"], len(changed["bypass_actors"])) == ("disabled", 2)
    stranger = RULESET | {"name": "other", "bypass_actors": [team | {"actor_id": 78}]}
    assert call("POST", "/repos/df12-test/gitops/rulesets", stranger).status_code == 422


def test_an_environment_keeps_its_variables_when_it_changes(call: Client) -> None:
    path = "/repos/df12-test/gitops/environments/staging"
    assert call("POST", f"{path}/variables", {"name": "CLUSTER", "value": "staging"}).status_code == 201
    assert call("POST", f"{path}/variables", {"name": "CLUSTER", "value": "staging"}).status_code == 409
    reviewers = [{"type": "Team", "id": 77}]
    rules = call("PUT", path, {"reviewers": reviewers, "prevent_self_review": True}).json()["protection_rules"]
    assert rules[0]["reviewers"] == [{"type": "Team", "reviewer": {"id": 77}}]
    assert call("GET", f"{path}/variables/CLUSTER").json()["value"] == "staging"
    assert call("PUT", path, {"reviewers": [{"type": "User", "id": 77}]}).status_code == 422
    assert call("PUT", path, {"reviewers": None, "prevent_self_review": False}).json()["protection_rules"] == []


def test_a_branch_policy_needs_an_environment_that_allows_it(call: Client) -> None:
    path = "/repos/df12-test/gitops/environments/staging"
    assert call("POST", f"{path}/deployment-branch-policies", {"name": "main"}).status_code == 404
    call("PUT", path, {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}})
    assert call("POST", f"{path}/deployment-branch-policies", {"name": "main"}).json()["type"] == "branch"


@pytest.mark.parametrize("scope", ["/repos/df12-test/gitops/actions", "/repositories/{id}/environments/staging"])
def test_a_secret_is_sealed_for_the_fake_and_never_comes_back(call: Client, scope: str) -> None:
    repository = call.fake.repositories["gitops"]
    path = scope.format(id=repository["id"]) + "/secrets"
    key = call("GET", f"{path}/public-key").json()
    body = {"key_id": key["key_id"], "encrypted_value": seal(call.fake, "s3cret")}
    assert [call("PUT", f"{path}/TOKEN", body).status_code for _ in range(2)] == [201, 204]
    assert set(call("GET", f"{path}/TOKEN").json()) == {"name", "created_at", "updated_at"}
    holder = repository if "actions" in scope else repository["environments"]["staging"]
    assert call.fake.decrypt(holder["secrets"]["TOKEN"]["encrypted_value"]) == "s3cret"
    assert call("PUT", f"{path}/TOKEN", body | {"key_id": "1"}).status_code == 422
    assert call("PUT", f"{path}/TOKEN", body | {"encrypted_value": b64encode(b"plain").decode()}).status_code == 422


def test_vulnerability_alerts_are_204_or_404(call: Client) -> None:
    path = "/repos/df12-test/gitops/vulnerability-alerts"
    assert [call(method, path).status_code for method in ("GET", "PUT", "GET", "DELETE", "GET")] == [
        404,
        204,
        204,
        204,
        404,
    ]

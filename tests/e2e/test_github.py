"""The GitOps repository's stack against a loopback GitHub, with the real provider."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cdktf import Testing
from nacl.public import PublicKey, SealedBox

from stacks.gitops_repository import GitOpsRepositoryStack
from tests.e2e.conftest import Cloud, OpenStack
from tests.e2e.tofu import Tofu
from tests.fakes.github import FakeGitHub
from tests.support import Synthesised, environment

NAME = "episodic-gitops"
ENVIRONMENTS = ("sandbox", "staging", "production")

Stacks = dict[str, Synthesised]


@pytest.fixture
def github(providers: None) -> Iterator[FakeGitHub]:
    """An organisation with two teams and the infrastructure repository."""
    with FakeGitHub(teams={"platform": 11, "operations": 12}) as api:
        api.add_repository("infrastructure")
        yield api
        assert api.refused == []


def public_key(number: int) -> str:
    """Return a public key as `ssh-keygen` prints it."""
    return "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([number]) * 32).decode()


def opened(open_stack: OpenStack, cloud: Cloud, github: FakeGitHub, data: Any, **variables: str) -> Tofu:
    """Return the stack, ready to plan."""
    keys = {f"TF_VAR_deploy_key_{name}": public_key(number) for number, name in enumerate(ENVIRONMENTS)}
    own = {"GITHUB_BASE_URL": f"{github.url}/", "GITHUB_TOKEN": github.token, "GITHUB_OWNER": github.organisation}
    tofu = open_stack(data, **cloud.environment(), **own, **keys, **variables)
    # The provider waits a second after each write; there is no variable for it.
    tofu.write("fast_override.tf.json", {"provider": {"github": {"write_delay_ms": 1}}})
    tofu.init()
    return tofu


def test_the_repository_is_made_and_kept_as_it_was_made(
    cloud: Cloud, github: FakeGitHub, stacks: Stacks, open_stack: OpenStack
) -> None:
    tofu = opened(open_stack, cloud, github, stacks["gitops-repository"].data)
    tofu.apply()
    repository = github.repositories[NAME]
    assert repository["settings"]["visibility"] == "private"
    assert {key["title"]: key["read_only"] for key in repository["keys"].values()} == {
        f"flux-{name}": True for name in ENVIRONMENTS
    }
    ruleset, workflows = sorted(repository["rulesets"].values(), key=lambda found: found["name"])
    assert [rule["type"] for rule in workflows["rules"]] == ["file_path_restriction"]
    assert github.repositories["infrastructure"]["access"] == "organization"
    (other,) = github.repositories["infrastructure"]["rulesets"].values()
    assert {rule["type"] for rule in ruleset["rules"]} - {rule["type"] for rule in other["rules"]} == {
        "required_linear_history"
    }
    assert {rule["type"] for rule in ruleset["rules"]} == {
        "deletion",
        "non_fast_forward",
        "required_linear_history",
        "pull_request",
        "required_status_checks",
    }
    reviewers = repository["environments"]["production"]["reviewers"]
    assert sorted(reviewer["id"] for reviewer in reviewers) == [11, 12]
    assert not repository["environments"]["sandbox"]["reviewers"]
    provisioning = github.repositories["infrastructure"]["environments"]
    assert sorted(reviewer["id"] for reviewer in provisioning["production"]["reviewers"]) == [11, 12]
    before = len(github.writes)
    tofu.plan(changes=False)
    tofu.apply()
    assert len(github.writes) == before

    ruleset["enforcement"] = "disabled"
    assert "enforcement" in tofu.plan(changes=True)
    tofu.apply()
    assert ruleset["enforcement"] == "active"
    tofu.plan(changes=False)
    assert "Resource instance cannot be destroyed" in tofu.run("plan", "-destroy", code=1)


def test_a_secret_arrives_sealed_and_is_nowhere_in_clear_text(
    cloud: Cloud, github: FakeGitHub, open_stack: OpenStack
) -> None:
    secret = b"hunter2-hunter2"
    env = environment(gitops__actions_secrets=["CHAT_WEBHOOK"])
    app = Testing.app()
    stack = json.loads(str(Testing.synth(GitOpsRepositoryStack(app, "gitops-repository", environments=[env]))))
    key = PublicKey(base64.b64decode(github.public_key))
    sealed = json.dumps({"CHAT_WEBHOOK": base64.b64encode(SealedBox(key).encrypt(secret)).decode()})
    tofu = opened(open_stack, cloud, github, stack, TF_VAR_sealed_actions_secrets=sealed)
    tofu.apply()
    stored = github.repositories[NAME]["secrets"]["CHAT_WEBHOOK"]
    assert github.decrypt(stored["encrypted_value"]) in {secret, secret.decode()}
    tofu.plan(changes=False)
    assert secret not in tofu.bytes()
    assert sealed.encode() not in tofu.bytes()

"""A real Vault with what `bin/operations vault apply` makes: who gets in, and each cell of role, path and verb."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidRequest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.clients import vault as client
from operations.secrets.owner import apply, differences
from operations.secrets.trust import trusts
from tests.e2e.conftest import require
from tests.e2e.vault import MOUNT, Vault
from tests.fakes.actions import FakeActions
from tests.support import environment_data

NAMES = ("sandbox", "staging", "production")
MAKE, READ = frozenset({"create", "read", "update"}), frozenset({"read"})
DENIED = frozenset({"deny"})

OF_AN_ENVIRONMENT: dict[str, dict[str, frozenset[str]]] = {
    "plan": {"provisioning/state": READ, "provisioning/plan": READ, "config": READ},
    "drift": {"provisioning/state": READ, "provisioning/plan": READ},
    "apply": {"provisioning": READ, "provisioning/state": READ, "flux": READ, "config": MAKE},
    "bootstrap": {
        "provisioning": READ,
        **dict.fromkeys(("provisioning/state", "provisioning/plan", "flux"), MAKE),
        **dict.fromkeys(("platform/backups", "platform/digitalocean-dns"), MAKE),
    },
}
OF_THE_REPOSITORY: dict[str, dict[str, frozenset[str]]] = {
    "bootstrap": {"": MAKE, "/promote": READ, "/drift": READ},
    "promote": {"/promote": READ},
    "drift": {"/drift": READ},
    "integration": {"/integration": READ},
}
NOTES = ("provisioning", "provisioning/plan", "provisioning/state", "flux", "platform/digitalocean-dns")
"""The entries of which what watches reads what they hold and when it expires, and no value."""

JOBS: dict[str, tuple[str, ...]] = {
    "plan": ("plan", "ready"),
    "drift": ("drift",),
    "apply": ("apply",),
    "bootstrap": ("bootstrap",),
    "promote": ("promote",),
    "integration": ("integration",),
}
"""The jobs that are there for each purpose."""


class Place:
    """A Vault that follows the environments, with an entry wherever one may be, and GitHub, which signs for jobs."""

    def __init__(self, vault: Vault, actions: FakeActions) -> None:
        self.vault, self.actions = vault, actions
        here = {"address": vault.address, "ca_bundle": vault.ca}
        self.environments = [model(name, here) for name in NAMES]
        vault.follow(self.environments, actions.public_key)
        for path in entries():
            vault.write(path, secret=path)

    def log_in(self, role: str, key: str | None = None, **claims: str) -> hvac.Client:
        token = self.actions.signed(claims.pop("aud", self.vault.address), **claims)
        answer: Any = self.vault.client("").auth.jwt.jwt_login(role, key or token, use_token=False, path="github")
        return self.vault.client(answer["auth"]["client_token"])

    def claims(self, job: str, name: str = "") -> dict[str, str]:
        return self.actions.claims(job, name)


def model(name: str, here: Mapping[str, str]) -> Environment:
    data = environment_data(name)
    data["vault"] |= here
    data["gitops"]["vault"] |= here
    return Environment.model_validate_json(json.dumps(data))


def entries() -> list[str]:
    own = {*NOTES, *(path for paths in OF_AN_ENVIRONMENT.values() for path in paths)} - {"config"}
    shared = {path for paths in OF_THE_REPOSITORY.values() for path in paths}
    return [*(f"{name}/{path}" for name in NAMES for path in own), *(f"gitops/provisioning{path}" for path in shared)]


SETTINGS = (
    *(f"auth/jwt-{name}/{path}" for name in NAMES for path in ("config", "role/external-secrets", "role/mine")),
    *("auth/github/config", "auth/github/role/episodic-production-apply", "sys/auth/mine", "sys/mounts/mine"),
    *("sys/policies/acl/episodic-production-apply", "auth/token/create", "identity/entity", "sys/raw"),
)
ROLES = [
    *(f"episodic-{name}-{purpose}" for name in NAMES for purpose in OF_AN_ENVIRONMENT),
    *(f"episodic-gitops-{purpose}" for purpose in OF_THE_REPOSITORY),
]


def allowed(role: str) -> dict[str, frozenset[str]]:
    """Return what a role may, by path, read from the tables above."""
    _, whose, purpose = role.split("-")
    if whose == "gitops":
        notes = [f"gitops/provisioning{path}" for path in ("", "/promote", "/drift", "/integration")]
        may = {f"{MOUNT}/data/gitops/provisioning{path}": may for path, may in OF_THE_REPOSITORY[purpose].items()}
        return may | (noted(notes) if purpose == "drift" else {})
    table = OF_AN_ENVIRONMENT[purpose].items()
    places = {path: f"{MOUNT}/data/{whose}/{path}" for path, _ in table} | {"config": f"auth/jwt-{whose}/config"}
    notes = [f"{whose}/{path}" for path in NOTES]
    return {places[path]: may for path, may in table} | (noted(notes) if purpose == "drift" else {})


def noted(paths: list[str]) -> dict[str, frozenset[str]]:
    return {f"{MOUNT}/{part}/{path}": READ for path in paths for part in ("metadata", "subkeys")}


def asked() -> list[str]:
    """Return every path of the matrix: entries with all that belongs to one, and Vault's own settings."""
    parts = ("data", "metadata", "delete", "undelete", "destroy", "subkeys")
    return [*(f"{MOUNT}/{part}/{path}" for path in entries() for part in parts), *SETTINGS]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    require("vault-server")
    with Vault(tmp_path_factory.mktemp("vault")) as vault, FakeActions() as actions:
        yield Place(vault, actions)


def own_job(role: str) -> tuple[str, str]:
    """Return a job that is there for a role, and its environment."""
    _, whose, purpose = role.split("-")
    return JOBS[purpose][0], "sandbox" if whose == "gitops" else whose


@pytest.mark.parametrize("role", ROLES)
def test_each_cell_of_role_path_and_verb(place: Place, role: str) -> None:
    job, name = own_job(role)
    token = place.log_in(role, **place.claims(job, name)).token
    answer: Any = place.vault.client().write_data("sys/capabilities", data={"token": token, "paths": asked()})
    found = {path: frozenset(answer["data"][path]) for path in asked()}
    may = allowed(role)
    assert may.keys() <= found.keys()
    assert found == {path: may.get(path, DENIED) for path in asked()}


@pytest.mark.parametrize("role", ROLES)
def test_what_is_allowed_is_answered_and_all_else_is_refused(place: Place, role: str) -> None:
    job, name = own_job(role)
    vault, may = place.log_in(role, **place.claims(job, name)), allowed(role)
    for path in entries():
        whole = f"{MOUNT}/data/{path}"
        if "read" in may.get(whole, ()):
            answer: Any = vault.read(whole)
            assert answer["data"]["data"]["secret"] == path
        else:
            with pytest.raises(Forbidden):
                vault.read(whole)
        if "update" not in may.get(whole, ()):
            with pytest.raises(Forbidden):
                vault.write_data(whole, data={"data": {"secret": "mine"}})


def test_what_watches_reads_names_and_dates_beside_values_that_it_may_not(place: Place) -> None:
    env = place.environments[0]
    path = env.vault.kv.provisioning
    place.vault.write(path, digitalocean_token="of a person")
    place.vault.note(path, {"digitalocean_token_expires": "2027-01-31"})
    role = env.vault.ci.role_for(Purpose.DRIFT)
    secrets = client.Secrets(place.log_in(role, **place.claims("drift", "sandbox")), env.vault, MOUNT)
    assert secrets.names(path) == {"secret", "digitalocean_token"}
    assert secrets.notes(path) == {"digitalocean_token_expires": "2027-01-31"}
    assert secrets.names(env.vault.kv.flux) == {"secret"}
    dns = "sandbox/platform/digitalocean-dns"
    place.vault.remove(dns)
    assert (secrets.names(dns), secrets.notes(dns)) == (frozenset(), {})
    place.vault.write(dns, secret=dns)
    with pytest.raises(ConfigError, match="forbids"):
        secrets.read(path)


@pytest.mark.parametrize("role", ROLES)
def test_a_token_with_any_wrong_claim_is_refused(place: Place, role: str) -> None:
    job, name = own_job(role)
    right = place.claims(job, name)
    bound = place.vault.client().read(f"auth/github/role/{role}")["data"]["bound_claims"]  # type: ignore[index]
    flow = right["job_workflow_ref"]
    wrong: list[dict[str, str]] = [
        {"repository_id": "1002"},
        {"repository_owner_id": "1"},
        {"job_workflow_ref": flow.replace("refs/heads/main", "refs/heads/topic")},
        {"job_workflow_ref": flow.replace("refs/heads/main", "refs/pull/7/merge")},
        {"job_workflow_ref": flow.replace(".github/workflows/", ".github/workflows/my-")},
        {"job_workflow_ref": flow.replace("df12-test", "somebody")},
        {"aud": "https://another.example"},
    ]
    if "environment" in bound:
        others = ("", "another", "bootstrap", *NAMES, *(f"{one}-plan" for one in NAMES))
        wrong += [{"environment": other} for other in others]
    for change in wrong:
        if change.items() <= right.items():
            continue
        with pytest.raises(InvalidRequest, match=r"claim|audience"):
            place.log_in(role, **{**right, **change})
    for claim in bound:
        with pytest.raises(InvalidRequest, match="claim"):
            place.log_in(role, **{key: value for key, value in right.items() if key != claim})
    with FakeActions() as stranger, pytest.raises(InvalidRequest, match="signature"):
        place.log_in(role, key=stranger.signed(place.vault.address, **right))


def test_each_job_gets_the_roles_of_its_purpose_and_no_other(place: Place) -> None:
    for purpose, jobs in JOBS.items():
        for job, name in ((job, name) for job in jobs for name in NAMES):
            wanted = {f"episodic-gitops-{purpose}"} if purpose in OF_THE_REPOSITORY else set()
            if purpose in OF_AN_ENVIRONMENT:
                own = NAMES if purpose == "bootstrap" else (name,)
                wanted |= {f"episodic-{one}-{purpose}" for one in own}
            assert {role for role in ROLES if gets_in(place, role, job, name)} == wanted, (job, name)


def gets_in(place: Place, role: str, job: str, name: str) -> bool:
    try:
        place.log_in(role, **place.claims(job, name))
    except InvalidRequest:
        return False
    return True


def test_the_nightly_job_that_runs_every_package_of_the_tests_reaches_no_environment(place: Place) -> None:
    claims = place.claims("integration")
    assert "environment" not in claims
    reached = [role for role in ROLES if gets_in(place, role, "integration", "production")]
    assert reached == ["episodic-gitops-integration"]
    for former in ("episodic-production", "episodic-gitops"):
        with pytest.raises(InvalidRequest, match="could not be found"):
            place.log_in(former, **claims)


def test_a_cluster_s_login_cannot_be_widened_by_what_applies(place: Place) -> None:
    vault = place.log_in("episodic-sandbox-apply", **place.claims("apply", "sandbox"))
    key = place.actions.public_key
    vault.write_data("auth/jwt-sandbox/config", data={"jwt_validation_pubkeys": [key], "bound_issuer": "https://c"})
    for name in ("jwks_url", "oidc_discovery_url", "default_role"):
        with pytest.raises(Forbidden):
            vault.write_data(
                "auth/jwt-sandbox/config", data={"jwt_validation_pubkeys": [key], name: "https://mine.example"}
            )


def test_a_vault_is_compared_put_right_and_left_alone(tmp_path: Path) -> None:
    require("vault-server")
    with Vault(tmp_path / "vault") as vault, FakeActions() as actions:
        here = {"address": vault.address, "ca_bundle": vault.ca}
        environments = [model(name, here) for name in NAMES]
        root = vault.client()
        root.sys.enable_auth_method("jwt", path="github")
        root.write_data("auth/github/config", data={"jwt_validation_pubkeys": [actions.public_key]})
        old = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "x", "token_policies": ["root"]}
        root.write_data("auth/github/role/episodic-sandbox", data=old)
        vault.follow(environments, actions.public_key)
        assert root.read("auth/github/role/episodic-sandbox") is None
        with patch.dict(os.environ, {"VAULT_TOKEN": vault.token}), patch.object(client, "_tokens", {}):
            (trust,) = trusts(environments)
            trust.writes.pop("auth/github/config")
            assert [*differences(trust)] == []
            assert apply(trust) == 0
            root.sys.create_or_update_policy("episodic-staging-plan", 'path "*" { capabilities = ["read"] }')
            claims = {"repository_id": "1001"}
            root.write_data("auth/github/role/episodic-staging-apply", data={**old, "bound_claims": claims})
            found = [sentence.partition(": ")[2] for sentence in differences(trust)]
            assert found == [
                "sys/policies/acl/episodic-staging-plan: differs",
                "auth/github/role/episodic-staging-apply: differs",
            ]
            assert apply(trust) == 2
            assert [*differences(trust)] == []
            role = "auth/jwt-sandbox/role/external-secrets-app-episodic"
            assert root.read(role) is not None
            (without,) = trusts([env.model_copy(update={"applications": {}}) for env in environments])
            without.writes.pop("auth/github/config")
            assert apply(without) == 2 * len(environments), "its role and its policy in each"
            assert root.read(role) is None
            assert [*differences(without)] == []

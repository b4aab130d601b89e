"""A cluster logs in to a real Vault as provisioning set it up, with the rights that the guide asks for and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidRequest, VaultError

from constructs_lib.environment import Environment
from operations.clients import vault as client
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning import vault_login
from tests.e2e.cluster import TOOLS, Cluster
from tests.e2e.conftest import require
from tests.e2e.vault import MOUNT, Vault, documented_policies, documented_review
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.support import environment

WORKFLOW, CLUSTER = "episodic-sandbox", "episodic-sandbox-external-secrets"
ROLE = "auth/jwt-sandbox/role/external-secrets"
WRITTEN: dict[str, Any] = {
    "role_type": "jwt",
    "user_claim": "sub",
    "bound_audiences": ["vault"],
    "bound_subject": "system:serviceaccount:external-secrets:vault",
    "token_policies": [CLUSTER],
    "token_ttl": "1200",
}
WIDER: tuple[dict[str, Any], ...] = (
    {"token_policies": [CLUSTER, "root"]},
    {"policies": [WORKFLOW]},
    {"groups_claim": "groups"},
    {"role_type": "oidc"},
    {"user_claim": "iss"},
    {"bound_audiences": ["vault", "other"]},
    {"bound_subject": "system:serviceaccount:external-secrets:other"},
    *({name: ""} for name in ("bound_audiences", "bound_subject", "token_ttl")),
    {"bound_audiences": []},
    {"token_ttl": "720h"},
    {"token_ttl": 2592000},
    {"token_max_ttl": "720h"},
)
WIDER_REVIEWED: tuple[dict[str, Any], ...] = (
    *({"bound_service_account_names": names} for names in (["*"], ["vault", "other"], [], "")),
    *({"bound_service_account_namespaces": names} for names in (["*"], [], "")),
    {"audience": ""},
    {"audience": "other"},
    {"token_ttl": ""},
    {"token_ttl": "720h"},
    {"token_policies": [CLUSTER, "root"]},
)
OTHERS = ("auth/jwt-sandbox/role/mine", "auth/jwt-staging/config", f"sys/policies/acl/{CLUSTER}")


class Place:
    """A Vault with the documented policies, a cluster, and what a workflow has of both."""

    def __init__(self, vault: Vault, cluster: Cluster, api: DigitalOcean) -> None:
        self.vault, self.cluster, self.api = vault, cluster, api
        for name, text in documented_policies().items():
            vault.client().sys.create_or_update_policy(name, text)
        made: Any = vault.client().auth.token.create(policies=[WORKFLOW])
        self.workflow = vault.client(made["auth"]["client_token"])
        for entry in ("flux", "platform/backups", "provisioning"):
            vault.write(f"sandbox/{entry}", key=entry)

    def environment(self, **auth: Any) -> Environment:
        """Return the sandbox with this Vault."""
        env = environment(**({"vault__auth": auth} if auth else {}))
        here = {"address": self.vault.address, "ca_bundle": self.vault.ca}
        return env.model_copy(update={"vault": env.vault.model_copy(update=here)})

    def log_in(self, account: str = "vault", audience: str = "vault") -> hvac.Client:
        """Log in with a token that the API server signs for an account."""
        token = self.cluster.kubectl("create", "token", account, "-n", "external-secrets", f"--audience={audience}")
        answer: Any = self.vault.client("").auth.jwt.jwt_login("external-secrets", token.strip(), path="jwt-sandbox")
        return self.vault.client(answer["auth"]["client_token"])

    def log_in_reviewed(self, account: str, *audiences: str) -> hvac.Client:
        """Log in with a token of an account that Vault shows to the API server."""
        named = [f"--audience={audience}" for audience in audiences]
        token = self.cluster.kubectl("create", "token", account, "-n", "external-secrets", *named)
        data = {"role": "external-secrets", "jwt": token.strip()}
        answer: Any = self.vault.client("").write_data("auth/k8s-sandbox/login", data=data)
        return self.vault.client(answer["auth"]["client_token"])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    require("vault-server", *TOOLS)
    with Cluster(tmp_path / "cluster") as cluster, Vault(tmp_path / "vault") as vault:
        cluster.kubectl("create", "namespace", "external-secrets")
        for account in ("vault", "other"):
            cluster.kubectl("create", "serviceaccount", account, "-n", "external-secrets")
        with FakeDigitalOcean(server=cluster.url, ca=cluster.ca) as fake:
            fake.cluster_token = cluster.token
            fake.add_cluster("episodic-sandbox")
            monkeypatch.setenv("DIGITALOCEAN_API_URL", fake.url)
            here = Place(vault, cluster, DigitalOcean(fake.token))
            monkeypatch.setattr(client, "_tokens", {})
            monkeypatch.delenv(client.REQUEST_URL, raising=False)
            monkeypatch.setenv("VAULT_TOKEN", here.workflow.token)
            yield here


def read(vault: hvac.Client, path: str) -> dict[str, str]:
    found: Any = vault.secrets.kv.v2.read_secret_version(path, mount_point=MOUNT, raise_on_deleted_version=True)
    return found["data"]["data"]


def test_a_cluster_reads_what_is_its_own_and_the_workflow_can_give_it_no_more(place: Place) -> None:
    env = place.environment()
    assert vault_login.has_to_be_told(env, place.api)
    vault_login.tell(env, place.api)
    assert not vault_login.has_to_be_told(env, place.api)
    vault_login.tell(env, place.api)

    logged_in = place.log_in()
    assert read(logged_in, "sandbox/flux") == {"key": "flux"}
    assert read(logged_in, "sandbox/platform/backups") == {"key": "platform/backups"}
    with pytest.raises(Forbidden):
        read(logged_in, "sandbox/provisioning")
    with pytest.raises(Forbidden):
        logged_in.secrets.kv.v2.create_or_update_secret("sandbox/flux", {"key": "other"}, mount_point=MOUNT)
    with pytest.raises(InvalidRequest, match="sub"):
        place.log_in(account="other")
    with pytest.raises(InvalidRequest, match="audience"):
        place.log_in(audience="other")

    known: Any = place.vault.client().read(ROLE)
    place.workflow.write_data(ROLE, data=WRITTEN)
    for more in WIDER:
        with pytest.raises(Forbidden):
            place.workflow.write_data(ROLE, data={**WRITTEN, **more})
    for name in WRITTEN.keys() - {"role_type", "user_claim"}:
        place.workflow.write_data(ROLE, data={key: value for key, value in WRITTEN.items() if key != name})
    for path in OTHERS:
        with pytest.raises(Forbidden):
            place.workflow.write_data(path, data={"policy": "", "role_type": "jwt"})
    with pytest.raises(Forbidden):
        place.workflow.write_data("sys/auth/jwt-sandbox", data={"type": "approle"})
    after: Any = place.vault.client().read(ROLE)
    assert after["data"] == known["data"]


def test_a_cluster_logs_in_by_its_api_server_too(place: Place) -> None:
    issuer = "https://kubernetes.default.svc.cluster.local"
    auth = {"method": "kubernetes", "mount": "k8s-sandbox", "role": "external-secrets", "audiences": ["vault", issuer]}
    env = place.environment(**auth)
    place.vault.client().sys.create_or_update_policy(WORKFLOW, documented_review())
    vault_login.tell(env, place.api)
    assert not vault_login.has_to_be_told(env, place.api)
    review = ("--clusterrole=system:auth-delegator", "--serviceaccount=external-secrets:vault")
    place.cluster.kubectl("create", "clusterrolebinding", "vault-token-review", *review)

    logged_in = place.log_in_reviewed("vault", "vault", issuer)
    assert read(logged_in, "sandbox/platform/backups") == {"key": "platform/backups"}
    with pytest.raises(Forbidden):
        read(logged_in, "sandbox/provisioning")
    for account, audiences in (("vault", ["vault"]), ("vault", [issuer]), ("other", ["vault", issuer])):
        with pytest.raises(VaultError):
            place.log_in_reviewed(account, *audiences)

    role = f"auth/{auth['mount']}/role/external-secrets"
    known: Any = place.vault.client().read(role)
    for more in WIDER_REVIEWED:
        with pytest.raises((Forbidden, InvalidRequest)):
            place.workflow.write_data(role, data=more)
    after: Any = place.vault.client().read(role)
    assert after["data"] == known["data"]

"""A cluster logs in to a real Vault as provisioning set it up, with the rights that the guide asks for and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hvac.exceptions import Forbidden, InvalidRequest, VaultError

from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.clients import vault as client
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning import vault_login
from tests.e2e.cluster import TOOLS, Cluster
from tests.e2e.conftest import require
from tests.e2e.vault import MOUNT, Vault
from tests.fakes.digitalocean import FakeDigitalOcean
from tests.support import environment

_key = generate_private_key(65537, 2048).public_key()
PUBLIC_KEY = _key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ISSUER = "https://kubernetes.default.svc.cluster.local"
REVIEWED = {"method": "kubernetes", "mount": "k8s-sandbox", "role": "external-secrets", "audiences": ["vault", ISSUER]}


class Place:
    """A Vault that follows the sandbox, a cluster, and the token of the job that applies."""

    def __init__(self, vault: Vault, cluster: Cluster, api: DigitalOcean) -> None:
        self.vault, self.cluster, self.api = vault, cluster, api
        for entry in ("flux", "platform/backups", "provisioning"):
            vault.write(f"sandbox/{entry}", key=entry)

    def environment(self, **auth: Any) -> Environment:
        """Return the sandbox with this Vault, which follows it."""
        env = environment(**({"vault__auth": auth} if auth else {}))
        here = {"address": self.vault.address, "ca_bundle": self.vault.ca}
        gitops = env.gitops.model_copy(update={"vault": env.gitops.vault.model_copy(update=here)})
        env = env.model_copy(update={"vault": env.vault.model_copy(update=here), "gitops": gitops})
        self.vault.follow([env], PUBLIC_KEY)
        return env

    def applying(self) -> str:
        """Return a token with the rights of the job that applies."""
        made: Any = self.vault.client().auth.token.create(policies=["episodic-sandbox-apply"])
        return made["auth"]["client_token"]

    def log_in(self, account: str, role: str, *audiences: str, mount: str = "jwt-sandbox") -> hvac.Client:
        """Log in with a token that the API server signs for an account."""
        named = [f"--audience={audience}" for audience in audiences or ["vault"]]
        token = self.cluster.kubectl("create", "token", account, "-n", "external-secrets", *named)
        data = {"role": role, "jwt": token.strip()}
        answer: Any = self.vault.client("").write_data(f"auth/{mount}/login", data=data)
        return self.vault.client(answer["auth"]["client_token"])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    require("vault-server", *TOOLS)
    with Cluster(tmp_path / "cluster") as cluster, Vault(tmp_path / "vault") as vault:
        cluster.kubectl("create", "namespace", "external-secrets")
        for account in ("vault", "vault-flux", "other"):
            cluster.kubectl("create", "serviceaccount", account, "-n", "external-secrets")
        with FakeDigitalOcean(server=cluster.url, ca=cluster.ca) as fake:
            fake.cluster_token = cluster.token
            fake.add_cluster("episodic-sandbox")
            monkeypatch.setenv("DIGITALOCEAN_API_URL", fake.url)
            here = Place(vault, cluster, DigitalOcean(fake.token))
            monkeypatch.setattr(client, "_tokens", {})
            monkeypatch.delenv(client.REQUEST_URL, raising=False)
            yield here


STORES = (
    ("vault", "external-secrets", "sandbox/platform/backups"),
    ("vault-flux", "external-secrets-flux", "sandbox/flux"),
)


def told(place: Place, env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell Vault the cluster's keys as the job that applies."""
    monkeypatch.setenv("VAULT_TOKEN", place.applying())
    assert vault_login.has_to_be_told(env, place.api, Purpose.APPLY)
    vault_login.tell(env, place.api)
    assert not vault_login.has_to_be_told(env, place.api, Purpose.APPLY)
    vault_login.tell(env, place.api)


def assert_reads_alone(vault: hvac.Client, path: str) -> None:
    """Fail unless a login reads this entry, and no other, and writes none."""
    for other in ("sandbox/platform/backups", "sandbox/flux", "sandbox/provisioning"):
        if other == path:
            assert read(vault, path) == {"key": path.removeprefix("sandbox/")}
        else:
            with pytest.raises(Forbidden):
                read(vault, other)
        with pytest.raises(Forbidden):
            vault.secrets.kv.v2.create_or_update_secret(other, {"key": "other"}, mount_point=MOUNT)


def read(vault: hvac.Client, path: str) -> dict[str, str]:
    found: Any = vault.secrets.kv.v2.read_secret_version(path, mount_point=MOUNT, raise_on_deleted_version=True)
    return found["data"]["data"]


def test_each_store_of_a_cluster_reads_what_is_its_own_and_no_other_account_anything(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(place, place.environment(), monkeypatch)
    for account, role, path in STORES:
        assert_reads_alone(place.log_in(account, role), path)
        for other in {"vault", "vault-flux", "other", "default"} - {account}:
            with pytest.raises(InvalidRequest, match="sub"):
                place.log_in(other, role)
        with pytest.raises(InvalidRequest, match="audience"):
            place.log_in(account, role, "other")


def test_a_cluster_logs_in_by_its_api_server_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    told(place, place.environment(**REVIEWED), monkeypatch)
    accounts = [f"--serviceaccount=external-secrets:{account}" for account, _, _ in STORES]
    review = ("--clusterrole=system:auth-delegator", *accounts)
    place.cluster.kubectl("create", "clusterrolebinding", "vault-token-review", *review)
    for account, role, path in STORES:
        assert_reads_alone(place.log_in(account, role, "vault", ISSUER, mount="k8s-sandbox"), path)
        for other, *audiences in ((account, "vault"), (account, ISSUER), ("other", "vault", ISSUER)):
            with pytest.raises(VaultError):
                place.log_in(other, role, *audiences, mount="k8s-sandbox")
    vault = place.vault.client(place.applying())
    with pytest.raises(Forbidden):
        vault.write_data(
            "auth/k8s-sandbox/config", data={"kubernetes_host": "https://mine", "disable_local_ca_jwt": False}
        )
    for account, role, _ in STORES:
        with pytest.raises(Forbidden):
            vault.write_data(f"auth/k8s-sandbox/role/{role}", data={"bound_service_account_names": [account, "other"]})

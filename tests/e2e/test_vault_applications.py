"""What a real Vault opens to each application of a cluster, and refuses it of every other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import hvac
import pytest
from hvac.exceptions import Forbidden, InvalidRequest

from constructs_lib.environment import Environment
from tests.e2e.conftest import require
from tests.e2e.vault import MOUNT, Vault
from tests.fakes.actions import FakeActions
from tests.support import environment_data

APPLICATIONS: dict[str, Any] = {
    "my-shop": {
        "owner": "a",
        "uses": {"postgres": {"main": {}}, "secrets": {"stripe": ["api_key"]}, "bucket": {"uploads": {}}},
    },
    "my": {"owner": "a", "uses": {"secrets": {"stripe": ["api_key"]}}},
    "blog": {"owner": "b", "uses": {"rabbitmq": {"main": {}}, "valkey": {"main": {}}, "postgres": {"main": {}}}},
    "gone": {"owner": "b", "uses": {"postgres": {"main": {}}, "secrets": {"old": ["key"]}}, "retired": True},
}
OPENED = {
    "my-shop": {"postgres/main/my_shop", "apps/my-shop/stripe", "apps/my-shop/buckets/uploads"},
    "my": {"apps/my/stripe"},
    "blog": {"rabbitmq/main/blog", "valkey/main", "postgres/main/blog"},
    "gone": {"apps/gone/old"},
}
"""The entries, below the platform's path, that each reads: its own, and those of what it uses."""
OTHERS = {"postgres/main/gone", "backups", "apps/nobody/x", "rabbitmq/main/my-shop"}
ENTRIES = [
    *(f"sandbox/platform/{path}" for path in sorted({*OTHERS, *(path for paths in OPENED.values() for path in paths)})),
    *("sandbox/flux", "sandbox/provisioning", "sandbox/provisioning/state", "staging/platform/apps/my-shop/stripe"),
]


class Place:
    """A Vault that follows the sandbox with its applications, and the cluster's key, which signs for accounts."""

    def __init__(self, vault: Vault, cluster: FakeActions) -> None:
        self.vault, self._cluster = vault, cluster
        data = environment_data(applications=APPLICATIONS)
        for holder in (data, data["gitops"]):
            holder["vault"] |= {"address": vault.address, "ca_bundle": vault.ca}
        vault.follow([Environment.model_validate_json(json.dumps(data))], cluster.public_key)
        vault.client().write_data("auth/jwt-sandbox/config", data={"jwt_validation_pubkeys": [cluster.public_key]})
        for path in ENTRIES:
            vault.write(path, secret=path)

    def log_in(self, application: str, account: str = "vault", namespace: str | None = None) -> hvac.Client:
        """Log in to an application's role with the token of an account."""
        subject = f"system:serviceaccount:{namespace or application}:{account}"
        data = {"role": f"external-secrets-app-{application}", "jwt": self._cluster.signed("vault", sub=subject)}
        answer: Any = self.vault.client("").write_data("auth/jwt-sandbox/login", data=data)
        return self.vault.client(answer["auth"]["client_token"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    require("vault-server")
    with Vault(tmp_path_factory.mktemp("vault")) as vault, FakeActions() as cluster:
        yield Place(vault, cluster)


def reads(vault: hvac.Client, path: str) -> bool:
    try:
        found: Any = vault.read(f"{MOUNT}/data/{path}")
    except Forbidden:
        return False
    return found["data"]["data"] == {"secret": path}


@pytest.mark.parametrize("application", APPLICATIONS)
def test_its_token_reads_what_it_uses_and_is_refused_everything_else(place: Place, application: str) -> None:
    vault = place.log_in(application)
    assert {path for path in ENTRIES if reads(vault, path)} == {
        f"sandbox/platform/{path}" for path in OPENED[application]
    }
    for path in ENTRIES:
        with pytest.raises(Forbidden):
            vault.write_data(f"{MOUNT}/data/{path}", data={"data": {"secret": "mine"}})
        with pytest.raises(Forbidden):
            vault.list(f"{MOUNT}/metadata/{path.rpartition('/')[0]}")


@pytest.mark.parametrize("application", APPLICATIONS)
def test_no_other_account_gets_its_role(place: Place, application: str) -> None:
    others = [("vault", other) for other in APPLICATIONS if other != application]
    for account, namespace in (*others, ("default", application), ("vault", "external-secrets")):
        with pytest.raises(InvalidRequest, match="sub"):
            place.log_in(application, account, namespace)

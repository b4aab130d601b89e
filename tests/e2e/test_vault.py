"""A real Vault keeps entries, checks tokens of GitHub Actions, obeys its policies, and says when it is sealed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hvac.exceptions import Forbidden, InvalidRequest, VaultDown

from tests.e2e.conftest import require
from tests.e2e.vault import MOUNT, Vault

REPOSITORY = "df12-test/infrastructure"
POLICY = f'path "{MOUNT}/data/sandbox/provisioning" {{ capabilities = ["read"] }}'


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    require("vault-server")
    with Vault(tmp_path / "vault") as running:
        yield running


@pytest.fixture
def key(vault: Vault) -> RSAPrivateKey:
    """The key whose tokens may log in for one repository."""
    made = generate_private_key(65537, 2048)
    vault.trust("github", made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
    vault.add_role("github", "sandbox", POLICY, repository=REPOSITORY)
    return made


def login(vault: Vault, key: RSAPrivateKey, repository: str = REPOSITORY, audience: str = "") -> str:
    """Return the token that Vault gives a job of this repository."""
    now = int(time.time())
    times = {"iat": now, "nbf": now - 5, "exp": now + 300}
    claims = {"sub": f"repo:{repository}", "repository": repository, "aud": audience or vault.address}
    token = jwt.encode({**claims, **times}, key, "RS256")
    return vault.client("").auth.jwt.jwt_login("sandbox", token, use_token=False, path="github")["auth"]["client_token"]


def test_an_entry_is_kept_and_a_stale_write_refused(vault: Vault) -> None:
    vault.write("sandbox/provisioning", first="1")
    vault.write("sandbox/provisioning", second="2")
    assert vault.read("sandbox/provisioning") == {"first": "1", "second": "2"}
    with pytest.raises(InvalidRequest, match="check-and-set"):
        vault.client().secrets.kv.v2.create_or_update_secret(
            "sandbox/provisioning", {"first": "stale"}, cas=1, mount_point=MOUNT
        )
    assert vault.read("sandbox/provisioning") == {"first": "1", "second": "2"}
    assert vault.versions() == {"sandbox/provisioning": 2}


def test_only_a_signed_token_with_the_right_claims_logs_in(vault: Vault, key: RSAPrivateKey) -> None:
    assert vault.client(login(vault, key)).is_authenticated()
    with pytest.raises(InvalidRequest, match="claim"):
        login(vault, key, repository="df12-test/another")
    with pytest.raises(InvalidRequest, match="audience"):
        login(vault, key, audience="https://another.example")
    with pytest.raises(InvalidRequest, match="signature"):
        login(vault, generate_private_key(65537, 2048))


def test_a_policy_allows_one_path_and_nothing_else(vault: Vault, key: RSAPrivateKey) -> None:
    vault.write("sandbox/provisioning", token="one")
    vault.write("staging/provisioning", token="two")
    entries = vault.client(login(vault, key)).secrets.kv.v2
    read = entries.read_secret_version("sandbox/provisioning", mount_point=MOUNT, raise_on_deleted_version=True)
    assert read["data"]["data"] == {"token": "one"}
    with pytest.raises(Forbidden):
        entries.read_secret_version("staging/provisioning", mount_point=MOUNT, raise_on_deleted_version=True)
    with pytest.raises(Forbidden):
        entries.create_or_update_secret("sandbox/provisioning", {"token": "three"}, mount_point=MOUNT)
    assert vault.read("sandbox/provisioning") == {"token": "one"}


def test_a_sealed_vault_says_so(tmp_path: Path) -> None:
    require("vault-server")
    with Vault(tmp_path / "vault", sealed=True) as vault:
        assert vault.client().sys.is_initialized()
        assert vault.client().sys.is_sealed()
        assert vault.client().sys.read_health_status(method="GET").status_code == 503
        with pytest.raises(VaultDown, match="sealed"):
            vault.read("sandbox/provisioning")

"""A real Vault keeps entries, and says when it is sealed; whom it lets in is in `test_vault_trust`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hvac.exceptions import InvalidRequest, VaultDown

from tests.e2e.conftest import require
from tests.e2e.vault import MOUNT, Vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    require("vault-server")
    with Vault(tmp_path / "vault") as running:
        yield running


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


def test_a_sealed_vault_says_so(tmp_path: Path) -> None:
    require("vault-server")
    with Vault(tmp_path / "vault", sealed=True) as vault:
        assert vault.client().sys.is_initialized()
        assert vault.client().sys.is_sealed()
        assert vault.client().sys.read_health_status(method="GET").status_code == 503
        with pytest.raises(VaultDown, match="sealed"):
            vault.read("sandbox/provisioning")

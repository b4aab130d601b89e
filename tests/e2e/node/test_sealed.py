"""A Secret that is sealed in the repository is decrypted with the key that the cluster has from Vault."""

from __future__ import annotations

from base64 import b64decode

import pytest

from gitops_render.paths import SOPS_FILE
from gitops_render.seal import seal
from gitops_render.sops_config import sops_config
from tests.e2e.cluster import BIN
from tests.e2e.node.conftest import REPORT, require_node
from tests.e2e.node.sandbox import Sandbox

NAME, NAMESPACE = "sealed", "databases"
SECRET = f"""
apiVersion: v1
kind: Secret
metadata: {{name: {NAME}, namespace: {NAMESPACE}}}
stringData: {{password: hunter2-hunter2}}
"""


def test_a_sealed_secret_comes_from_the_repository_and_goes_with_it(
    platform: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_node("sops")
    repository, env = platform.follower.repository, platform.env.name
    monkeypatch.setenv("SOPS", str(BIN / "sops"))
    (repository.folder / SOPS_FILE).write_bytes(sops_config({env: [platform.world.age_recipient]}))
    (path,) = seal(repository.folder, env, {"the test": SECRET})
    assert "hunter2" not in (repository.folder / path).read_text()
    sealed = repository.commit("seal")

    def found() -> str | None:
        item = platform.cluster.get("secret", NAME, NAMESPACE)
        return b64decode(item["data"]["password"]).decode() if item else None

    took = platform.cluster.eventually(lambda: found() == "hunter2-hunter2", "it is decrypted")
    REPORT.append(f"sandbox: a sealed Secret is decrypted {took:.0f} s after its commit")
    repository.git("revert", "--no-edit", sealed)
    platform.cluster.eventually(lambda: found() is None, "it is gone")

"""The lock of the providers with real OpenTofu. The providers are empty programs of ours: `init` starts none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from operations.clients.provider_lock import LOCK, LOCK_OF_A_STACK, PLATFORMS, lock_of, write_lock
from tests.e2e.tofu import BINARY, Tofu

PROVIDERS = {"hashicorp/helm": "3.1.1", "digitalocean/digitalocean": "2.71.0"}
REGISTRY = "registry.opentofu.org"


def asking(*names: str) -> dict[str, object]:
    """Return a stack that asks for providers."""
    asked = {name.partition("/")[2]: {"source": name, "version": PROVIDERS[name]} for name in names}
    return {"terraform": {"required_providers": asked}}


@pytest.fixture
def mirror(tofu_is_built: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the providers for every platform, from which OpenTofu takes hashes and installs."""
    folder = tmp_path / "mirror"
    for name, version in PROVIDERS.items():
        for platform in PLATFORMS:
            program = folder / REGISTRY / name / version / platform / f"terraform-provider-{name.partition('/')[2]}"
            program.parent.mkdir(parents=True)
            program.write_text(f"#!/bin/sh\n# {name} {platform}\n")
            program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{BINARY.parent}:/usr/bin:/bin")
    monkeypatch.setenv("TF_CLI_ARGS_providers_lock", f"-fs-mirror={folder}")
    return folder


def init(stack: dict[str, object], mirror: Path, folder: Path, lock: str, *, code: int) -> str:
    """Initialise a stack with a lock, from the mirror, as `operations` does."""
    settings = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
    (folder / "tofurc").write_text(settings)
    tofu = Tofu(folder / "stack", stack, {"TF_CLI_CONFIG_FILE": str(folder / "tofurc")})
    (tofu.folder / LOCK_OF_A_STACK).write_text(lock)
    return tofu.run("init", "-lockfile=readonly", code=code)


def test_what_is_locked_is_installed_and_nothing_else_is(mirror: Path, tmp_path: Path) -> None:
    both, helm = asking(*PROVIDERS), asking("hashicorp/helm")
    write_lock([both])
    hashes = re.findall(r'"(h1:[^"]+)"', LOCK.read_text())
    assert len(set(hashes)) == len(PROVIDERS) * len(PLATFORMS)
    allowed = lock_of(helm)
    assert allowed is not None
    (tmp_path / "good").mkdir()
    assert "successfully initialized" in init(helm, mirror, tmp_path / "good", allowed, code=0)
    for program in mirror.rglob("terraform-provider-helm"):
        program.write_text("#!/bin/sh\n# another\n")
    (tmp_path / "bad").mkdir()
    refused = init(helm, mirror, tmp_path / "bad", allowed, code=1)
    assert "doesn't match any of the checksums" in " ".join(refused.split())


def test_a_lock_that_names_another_stacks_provider_is_refused(mirror: Path, tmp_path: Path) -> None:
    write_lock([asking(*PROVIDERS)])
    (tmp_path / "all").mkdir()
    printed = init(asking("hashicorp/helm"), mirror, tmp_path / "all", LOCK.read_text(), code=1)
    assert "Provider dependency changes detected" in printed


def test_a_lock_that_cannot_be_made_leaves_the_file_alone(mirror: Path) -> None:
    LOCK.write_text("as it was")
    with pytest.raises(ConfigError, match="could not look the providers up, and the file stays as it was"):
        write_lock([{"terraform": {"required_providers": {"x": {"source": "hashicorp/none", "version": "1.0.0"}}}}])
    assert LOCK.read_text() == "as it was"

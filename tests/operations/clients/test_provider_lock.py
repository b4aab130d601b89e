"""What `init` may install, by the file in Git."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from operations.clients.provider_lock import LOCK, lock_of, required
from tests.fakes.tofu import FakeTofu
from tests.operations.clients.test_tofu import PROVIDERS, fake, stack

__all__ = ["fake"]

CLUSTER = {"terraform": {"required_providers": PROVIDERS}}
FLUX = {"terraform": {"required_providers": {"helm": {"source": "helm", "version": "3.1.1"}}}}


def block(name: str, version: str) -> str:
    return (
        f'provider "registry.opentofu.org/{name}" {{\n  version     = "{version}"\n  constraints = "{version}"\n'
        f'  hashes = [\n    "h1:{name}=",\n    "zh:00",\n  ]\n}}\n'
    )


DIGITALOCEAN, HELM = block("digitalocean/digitalocean", "2.71.0"), block("hashicorp/helm", "3.1.1")
HEAD = '# This file is maintained automatically by "tofu init".\n\n'


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with two providers, where the program looks for it."""
    monkeypatch.chdir(tmp_path)
    LOCK.write_text(f"{HEAD}{DIGITALOCEAN}\n{HELM}")
    return tmp_path / LOCK


def test_a_stack_may_install_what_it_asks_for_and_no_more(lock: Path) -> None:
    assert lock_of(CLUSTER) == DIGITALOCEAN
    assert lock_of(FLUX) == HELM
    both = {"terraform": {"required_providers": {**PROVIDERS, **FLUX["terraform"]["required_providers"]}}}
    assert lock_of(both) == f"{DIGITALOCEAN}\n{HELM}"


def test_a_provider_of_hashicorp_is_known_without_its_owner() -> None:
    assert required([CLUSTER, FLUX]) == {"digitalocean/digitalocean": "2.71.0", "hashicorp/helm": "3.1.1"}


def test_another_version_is_refused_and_so_is_a_provider_that_is_not_there(lock: Path) -> None:
    lock.write_text(DIGITALOCEAN.replace("2.71.0", "2.70.0"))
    with pytest.raises(ConfigError, match=r"^providers\.lock\.hcl: has digitalocean/digitalocean 2\.70\.0, the "):
        lock_of(CLUSTER)
    with pytest.raises(ConfigError, match=r"has hashicorp/helm not at all, the stacks ask for 3\.1\.1; run make prov"):
        lock_of(FLUX)


def test_init_reads_the_lock_and_may_not_change_it(fake: FakeTofu) -> None:
    LOCK.write_text(f"{HEAD}{DIGITALOCEAN}\n{HELM}")
    stack().init()
    (call,) = fake.calls("init")
    assert call.arguments == ["init", "-json", "-reconfigure", "-lockfile=readonly"]
    assert stack().lock_file.read_text() == DIGITALOCEAN


def test_init_without_the_file_is_as_it_was(fake: FakeTofu) -> None:
    stack().init()
    (call,) = fake.calls("init")
    assert call.arguments == ["init", "-json", "-reconfigure"]
    assert stack().lock_file.read_text() == "chosen by init"


def test_init_does_not_start_with_another_version(fake: FakeTofu) -> None:
    LOCK.write_text(HELM)
    with pytest.raises(ConfigError, match="has digitalocean/digitalocean not at all"):
        stack().init()
    assert fake.calls("init") == []

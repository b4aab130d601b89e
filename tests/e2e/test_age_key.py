"""A new age key with real SOPS and a real Vault: the cluster reads what it runs at each moment, and in the end anew."""

from __future__ import annotations

import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from gitops_render.paths import sealed_folder
from gitops_render.seal import seal, unseal
from gitops_render.validate import Allowed
from gitops_render.validate.change import Change
from operations.bootstrap.layout import ensure_layout
from operations.clients.github import GitHub
from operations.rotation.age_key import rotate_age_key
from operations.secrets.entries import age_recipient, ensure_entries
from tests.e2e.conftest import require
from tests.e2e.outside import World, world
from tests.operations.rotation.conftest import Runs
from tests.support import ROOT

NAME, PATH = "episodic-gitops", "sandbox/flux"
SECRET = "/api/v1/namespaces/flux-system/secrets/sops-age"
VALUES = {name: {"password": f"the value of {name}"} for name in ("db", "mail")}


class Place:
    """The sandbox with two sealed Secrets, and a person who does what the command asks for."""

    def __init__(self, world: World) -> None:
        self.outside, self.vault, self.kubernetes = world
        env = world.environment()
        ensure_entries(env)
        self.first = self.keys[0]
        self.env: Environment = env.model_copy(update={"sops_recipient": age_recipient(self.first)})
        self.bring()
        self.kubernetes.read_again = lambda _namespace, _name: self.bring()
        self.outside.github.add_repository(NAME)
        github = GitHub(self.outside.github.token)
        ensure_layout(github, github.repository(f"df12-test/{NAME}"), [self.env], [self.env])
        self.seal()

    @property
    def keys(self) -> list[str]:
        return self.vault.read(PATH)["age_key"].split()

    @property
    def in_cluster(self) -> str:
        return b64decode(self.kubernetes.objects[SECRET]["data"]["age.agekey"]).decode()

    @property
    def pulls(self) -> list[dict[str, Any]]:
        return [*self.outside.github.repositories[NAME]["pulls"].values()]

    def bring(self) -> None:
        """Bring Vault's keys to the cluster, as External Secrets does."""
        self.kubernetes.put_secret("flux-system", "sops-age", **{"age.agekey": self.vault.read(PATH)["age_key"]})

    def checkout(self, branch: str = "main") -> Path:
        """Return a new checkout of the GitOps repository."""
        folder = self.outside.folder / f"checkout-{len([*self.outside.folder.glob('checkout-*')])}"
        where = str(self.outside.github.git.folder / f"{NAME}.git")
        subprocess.run(["git", "clone", "--quiet", "--branch", branch, where, str(folder)], check=True)
        return folder

    def seal(self) -> None:
        folder = self.checkout()
        for name, values in VALUES.items():
            item = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "databases"}}
            seal(folder, "sandbox", {name: yaml.safe_dump({**item, "stringData": values})})
        for path in (folder / sealed_folder("sandbox")).iterdir():
            place = str(sealed_folder("sandbox") / path.name)
            self.outside.github.git.edit(NAME, place, path.read_text())

    def read(self, keys: str) -> dict[str, Any]:
        """Return what the keys read of what the cluster runs."""
        folder = self.checkout()
        return {name: yaml.safe_load(unseal(folder, "sandbox", name, keys))["stringData"] for name in VALUES}

    def merge(self) -> None:
        """Merge what is proposed, which the check of the GitOps repository has to let through."""
        for pull in self.pulls:
            if pull["state"] == "open":
                head = self.outside.github.git.head(NAME, pull["head"]["ref"]) or ""
                assert Allowed([self.env]).problems(Change(self.checkout(), "main", head)) == []
                self.outside.github.talk.merge(self.outside.github.repositories[NAME], pull["number"])

    def follow(self) -> None:
        """Name the new recipient once the cluster has its key, and merge."""
        if len(self.keys) == 2 and self.keys[1] in self.in_cluster:
            self.env = self.env.model_copy(update={"sops_recipient": age_recipient(self.keys[1])})
        self.merge()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    require("vault-server", "sops")
    monkeypatch.setenv("SOPS", str(ROOT / "tools/bin/sops"))
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    with world(tmp_path, monkeypatch) as here:
        yield Place(here)


@pytest.mark.parametrize("number", range(1, 6))
def test_what_runs_is_read_at_each_moment_whatever_ends_a_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    runs = Runs(monkeypatch)
    runs.killed_after = number
    for _ in range(8):
        runs(lambda: rotate_age_key(place.env, [place.env]))
        assert place.read(place.in_cluster) == VALUES
        if len(place.keys) == 1:
            break
        place.follow()
        assert place.read(place.in_cluster) == VALUES
    place.bring()
    assert (place.keys == [place.first], place.read(place.in_cluster)) == (False, VALUES)
    with pytest.raises(ConfigError, match="sops cannot decrypt it"):
        place.read(place.first)
    text = "".join(path.read_text() for path in (place.checkout() / sealed_folder("sandbox")).iterdir())
    assert not [key for key in (place.first, *place.keys) if key in text]

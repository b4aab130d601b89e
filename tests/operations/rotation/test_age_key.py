"""A new age key, as far as it goes without SOPS: nothing is sealed yet but for whom (tests/e2e/test_age_key.py)."""

from __future__ import annotations

import subprocess
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from gitops_render.sops_config import read_recipients
from gitops_render.validate import Allowed
from gitops_render.validate.change import Change
from operations.bootstrap.layout import ensure_layout
from operations.clients.github import GitHub
from operations.rotation.age_key import rotate_age_key
from operations.secrets.entries import age_recipient, ensure_entries, new_age_key
from tests.fakes.git_server import GitServer
from tests.fakes.kubernetes import FakeKubernetes
from tests.operations.conftest import Outside
from tests.operations.rotation.conftest import Runs

NAME = "episodic-gitops"
FLUX = "episodic/sandbox/flux"
SECRET = "/api/v1/namespaces/flux-system/secrets/sops-age"


class Place:
    """The sandbox with a sealed layer, its cluster and its repository; a person does what the command asks for."""

    def __init__(self, outside: Outside, kubernetes: FakeKubernetes) -> None:
        self.outside, self.kubernetes = outside, kubernetes
        ensure_entries(outside.environment())
        self.first = self.keys[0]
        self.env = outside.environment().model_copy(update={"sops_recipient": age_recipient(self.first)})
        kubernetes.put_secret("flux-system", "sops-age", **{"age.agekey": self.first})
        kubernetes.read_again = lambda _namespace, _name: self.bring()
        outside.github.add_repository(NAME)
        github = GitHub(outside.github.token)
        ensure_layout(github, github.repository(f"df12-test/{NAME}"), [self.env], [self.env])

    @property
    def keys(self) -> list[str]:
        return self.outside.vault.held(FLUX)["age_key"].split()

    @property
    def in_cluster(self) -> list[str]:
        return b64decode(self.kubernetes.objects[SECRET]["data"]["age.agekey"]).decode().split()

    @property
    def pulls(self) -> list[dict[str, Any]]:
        return [*self.outside.github.repositories[NAME]["pulls"].values()]

    @property
    def sealed_for(self) -> frozenset[str]:
        """Whom the default branch names as its readers."""
        folder = self.outside.folder / "checkout"
        folder.mkdir(exist_ok=True)
        (folder / ".sops.yaml").write_text(self.outside.github.git.read(NAME, ".sops.yaml"))
        return read_recipients(folder, "sandbox")

    def bring(self) -> None:
        self.kubernetes.put_secret("flux-system", "sops-age", **{"age.agekey": "\n".join(self.keys)})

    def name_the_new_one(self) -> None:
        self.env: Environment = self.env.model_copy(update={"sops_recipient": age_recipient(self.keys[-1])})

    def merge(self) -> None:
        """Merge what is proposed."""
        for pull in self.pulls:
            if pull["state"] == "open":
                self.outside.github.talk.merge(self.outside.github.repositories[NAME], pull["number"])

    def rotate(self) -> None:
        rotate_age_key(self.env, [self.env])


def problems(git: GitServer, branch: str, *environments: Environment) -> list[str]:
    """Return what the check of the GitOps repository finds in a branch."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", str(git.folder / f"{NAME}.git"), folder], check=True)
        return Allowed(environments).problems(Change(Path(folder), "main", git.head(NAME, branch) or ""))


@pytest.fixture
def place(outside: Outside, kubernetes: FakeKubernetes) -> Place:
    return Place(outside, kubernetes)


def test_the_cluster_has_both_before_anything_is_sealed_for_the_new_one_and_until_all_is(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.kubernetes.read_again = lambda _namespace, _name: None
    for _ in range(2):
        place.rotate()
        assert (place.keys[0], len(place.keys), place.in_cluster) == (place.first, 2, [place.first])
        assert "the cluster has not both age keys yet; External Secrets was told" in capsys.readouterr().out
    place.bring()
    place.rotate()
    new = place.keys[1]
    asked = f"environments/sandbox.yaml: set sops_recipient to {age_recipient(new)} and merge that, then run this again"
    assert asked in capsys.readouterr().out
    assert (place.pulls, place.sealed_for) == ([], {age_recipient(place.first)})
    place.name_the_new_one()
    for _ in range(2):
        place.rotate()
        assert len(place.pulls) == 1
        assert place.keys == [place.first, new] == place.in_cluster
    assert problems(place.outside.github.git, place.pulls[0]["head"]["ref"], place.env) == []
    place.merge()
    place.rotate()
    assert (place.keys, place.sealed_for) == ([new], {age_recipient(new)})
    printed = capsys.readouterr().out
    assert "pull request 1 opened; merge it, run this again" in printed
    assert "the old age_key is gone; it still reads Git's history" in printed
    assert not [key for key in (place.first, new) if key in printed]


CLEAN = 5
"""The changes of a rotation: Vault's entry, the word to External Secrets, a branch, a pull request, the entry again."""


@pytest.mark.parametrize("number", range(CLEAN + 1))
def test_a_run_that_is_killed_after_any_change_is_finished_by_the_next(place: Place, runs: Runs, number: int) -> None:
    runs.killed_after = number
    for _ in range(8):
        runs(place.rotate)
        assert place.first in place.in_cluster or place.sealed_for <= set(map(age_recipient, place.in_cluster))
        if len(place.keys) == 1:
            break
        if set(place.in_cluster) == set(place.keys):
            place.name_the_new_one()
        place.merge()
    assert (len(place.keys), place.first in place.keys) == (1, False)
    assert (len(place.pulls), runs.changes) == (1, CLEAN)


def test_a_pull_request_from_before_another_change_gives_way(place: Place) -> None:
    place.rotate()
    place.rotate()
    place.name_the_new_one()
    place.rotate()
    place.outside.github.git.edit(NAME, "apps/sandbox/other.yaml", "other: true\n")
    place.rotate()
    assert [pull["state"] for pull in place.pulls] == ["closed", "open"]
    place.merge()
    place.rotate()
    assert len(place.keys) == 1


def test_what_no_key_reads_is_refused(place: Place) -> None:
    for changed, sentence in (
        (None, "environments/sandbox.yaml: has no sops_recipient, so nothing is sealed for a key"),
        (f"age1{'q' * 58}", "sandbox/flux: age_key: is not the private half of sops_recipient in environments/sandbox"),
    ):
        place.env = place.env.model_copy(update={"sops_recipient": changed})
        with pytest.raises(ConfigError, match=sentence):
            place.rotate()
    place.name_the_new_one()
    flux = place.outside.vault.held(FLUX)
    place.outside.vault.put(FLUX, **{**flux, "age_key": f"{place.first}\n{new_age_key()}\n{new_age_key()}"})
    with pytest.raises(ConfigError, match="age_key: holds 3 keys; remove those that nothing is sealed for"):
        place.rotate()
    assert place.pulls == []


def test_without_a_cluster_nobody_has_to_be_waited_for(place: Place) -> None:
    place.outside.digitalocean.clusters.clear()
    place.rotate()
    place.name_the_new_one()
    place.rotate()
    place.merge()
    place.rotate()
    assert len(place.keys) == 1

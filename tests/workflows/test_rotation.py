"""Secrets are rotated between runs of the workflow that provisions, one of which is killed: nobody is cut off.

Real are Vault, OpenTofu with its providers, the API server and act; GitHub and DigitalOcean are loopback servers.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.kit import DEPLOY_KEY_SECRET, FLUX_NAMESPACE
from operations.secrets.entries import public_half
from tests.e2e.cluster import Cluster
from tests.e2e.jobs import jobs_completed
from tests.workflows.act import Project, Run, run_workflow
from tests.workflows.conftest import project_in
from tests.workflows.flux import BecomesReady
from tests.workflows.world import World

KILLED_AFTER = "Services/Provision a stage/Apply/Apply"


class Place:
    """The sandbox, its project, and a person with a token of Vault."""

    def __init__(self, world: World, cluster: Cluster, project: Project) -> None:
        self.world, self.cluster, self._project = world, cluster, project
        self.runs: list[Run] = []

    def person(self, *arguments: str) -> str:
        """Run a command as a person does."""
        own: Any = {"ACTIONS_ID_TOKEN_REQUEST_URL": "", "VAULT_TOKEN": self.world.vault.token}
        return self.world.run(*arguments, folder=self._project.folder, **own)

    def provision(self, kill_after: str = "") -> Run:
        """Run the workflow."""
        done = run_workflow(
            self._project,
            "provision-doks.yml",
            inputs={"environment": "sandbox", "action": "apply", "confirm": ""},
            env=self.world.job_environment(self._project),
            path=[self.world.binaries],
            insecure_secrets=True,
            kill_after=kill_after,
        )
        self.runs.append(done)
        return done

    def on_github(self) -> list[str]:
        """Return the sandbox's deploy keys, without what stands behind them."""
        keys = self.world.repository["keys"].values()
        return sorted(" ".join(item["key"].split()[:2]) for item in keys if item["title"] == "flux-sandbox")

    def in_cluster(self) -> str:
        """Return the key that the cluster reads Git with, by its public half."""
        secret = self.cluster.get("secret", DEPLOY_KEY_SECRET, FLUX_NAMESPACE) or {}
        return " ".join(public_half(b64decode(secret["data"]["identity"]).decode(), "the cluster").split()[:2])

    def keys_of(self, name: str) -> list[str]:
        """Return the Spaces keys of a name."""
        return [key for key, item in self.world.digitalocean.spaces_keys.items() if item["name"] == name]


@pytest.fixture
def place(
    make_world: Callable[..., World], flux_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """The sandbox, provisioned: its cluster turns out to be a real API server."""
    # Spaces keys are old enough that nobody has the one before any more.
    monkeypatch.setattr("tests.fakes.digitalocean.NOW", "2020-01-01T00:00:00Z")
    world = make_world("world", flux_cluster)
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    with BecomesReady(flux_cluster, world.digitalocean, "episodic-sandbox-ingress"), jobs_completed(flux_cluster):
        project = project_in(world, tmp_path / "project")
        made = Place(world, flux_cluster, project)
        for command in ("secrets", "layout", "settings"):
            world.synthesise(project.folder)
            world.run("bootstrap", command, folder=project.folder)
        made.provision().assert_succeeded()
        yield made


def test_nobody_is_cut_off_while_secrets_are_rotated(place: Place, tmp_path: Path) -> None:
    world, old = place.world, place.in_cluster()
    assert place.on_github() == [old]
    passphrase = world.vault.read("sandbox/provisioning/state")["state_passphrase"]
    (planned_with,) = place.keys_of("episodic-sandbox-plan")

    for _ in range(2):
        said = place.person("rotate", "deploy-key", "sandbox")
        assert "provision sandbox (services), then run this again" in said
        assert place.in_cluster() == old
        assert old in place.on_github()
        assert len(place.on_github()) == 2, "GitHub knows the one that the cluster has, and the new one"
    place.person("rotate", "spaces-key", "sandbox", "plan")
    assert planned_with in place.keys_of("episodic-sandbox-plan")
    place.person("rotate", "state-passphrase", "sandbox")
    assert world.vault.read("sandbox/provisioning/state")["state_passphrase"] != passphrase

    assert place.provision(KILLED_AFTER).killed
    assert place.in_cluster() in place.on_github()
    place.provision().assert_succeeded()
    new = place.in_cluster()
    assert new != old
    assert new in place.on_github()

    assert "the cluster has the new deploy key, and the old one is gone" in place.person(
        "rotate", "deploy-key", "sandbox"
    )
    assert place.on_github() == [new]
    assert "former_deploy_key" not in world.vault.read("sandbox/flux")
    place.person("rotate", "spaces-key", "sandbox", "plan")
    assert planned_with not in place.keys_of("episodic-sandbox-plan")
    assert "is as it should be" in world.run("drift", "sandbox", folder=tmp_path / "project")
    world.assert_no_secret_in(place.runs, tmp_path / "project")

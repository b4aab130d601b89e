"""Waiting for Flux: what is told, what is waited for, and what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.cluster import Cluster
from tests.workflows.act import Project
from tests.workflows.conftest import project_in
from tests.workflows.flux import NAMESPACE, put
from tests.workflows.world import ZONE, World

Wait = Callable[[int], str]


@pytest.fixture
def living(make_world: Callable[..., World], flux_cluster: Cluster) -> World:
    """A world whose clusters turn out to be a real API server."""
    return make_world("world", flux_cluster)


@pytest.fixture
def wait(living: World, flux_cluster: Cluster) -> Wait:
    """Return a function that waits for the sandbox and has to end with this exit code."""
    world = living
    flux_cluster.kubectl("create", "namespace", NAMESPACE)
    folder = world.folder / "project"
    project_in(world, folder)
    world.run("bootstrap", "secrets", folder=folder)
    world.digitalocean.add_cluster("episodic-sandbox")
    world.digitalocean.add_balancer("episodic-sandbox-ingress")
    world.digitalocean.zones.add(ZONE, "A", "*.sandbox", "203.0.113.10")
    command = ("wait-ready", "sandbox", "--timeout", "2", "--poll", "0.5")
    return lambda code: world.run(*command, folder=folder, code=code)


def test_it_ends_once_root_and_tiers_are_ready_and_says_what_was_not(wait: Wait, flux_cluster: Cluster) -> None:
    assert "sandbox: not Ready after 2 s: Kustomization flux-system/flux-system: is not there yet" in wait(2)

    put(flux_cluster, "Kustomization", NAMESPACE, ready=True)
    put(flux_cluster, "HelmRelease", "traefik", ready=False, message="install\nfailed")
    put(flux_cluster, "GitRepository", "platform", ready=True)
    assert "not Ready after 2 s: HelmRelease flux-system/traefik: install failed\n" in wait(2)

    put(flux_cluster, "HelmRelease", "traefik", ready=True)
    put(flux_cluster, "Kustomization", "apps-episodic", ready=False, message="the team's own")
    put(flux_cluster, "Kustomization", "paused", ready=False, suspend=True)
    printed = wait(0)
    assert "sandbox: Kustomization flux-system/apps-episodic: the team's own" in printed
    assert "paused" not in printed
    assert "sandbox: Flux is Ready\nsandbox: https://ingress.sandbox.episodic.example/ answers; its cert" in printed


def test_it_does_not_end_while_the_host_leads_nowhere(wait: Wait, flux_cluster: Cluster, living: World) -> None:
    if not living.providers:
        pytest.skip("tofu init finds no providers")
    put(flux_cluster, "Kustomization", NAMESPACE, ready=True)
    living.digitalocean.zones.records[ZONE].clear()
    printed = wait(2)
    assert "not Ready after 2 s: https://ingress.sandbox.episodic.example/: gives no answer" in printed
    assert "sandbox-dns makes its record, in the stage dns of provisioning" in printed


def test_an_old_status_is_no_status(wait: Wait, flux_cluster: Cluster) -> None:
    put(flux_cluster, "Kustomization", NAMESPACE, ready=True)
    flux_cluster.apply(
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": NAMESPACE, "namespace": NAMESPACE},
            "spec": {"interval": "9m"},
        }
    )
    assert "Kustomization flux-system/flux-system: is being reconciled" in wait(2)


def test_a_cluster_that_is_not_there_or_does_not_answer_is_named(world: World, project: Project) -> None:
    world.run("bootstrap", "secrets", folder=project.folder)
    command = ("wait-ready", "sandbox", "--timeout", "1", "--poll", "0.5")
    none = world.run(*command, folder=project.folder, code=2)
    assert "DigitalOcean has no cluster episodic-sandbox; provision sandbox first" in none
    world.digitalocean.add_cluster("episodic-sandbox")
    silent = world.run(*command, folder=project.folder, code=2)
    assert "API server: no answer (MaxRetryError); is this address among those that may reach it?" in silent

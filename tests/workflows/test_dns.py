"""The stage dns of provisioning, as an engineer runs it, with the real provider."""

from __future__ import annotations

import pytest

from tests.workflows.act import Project
from tests.workflows.world import ZONE, World

HERE = {"ingress.sandbox": "203.0.113.10", "*.sandbox": "203.0.113.10"}


def test_records_are_planned_once_the_balancer_is_there_made_once_and_end(world: World, project: Project) -> None:
    if not world.providers:
        pytest.skip("tofu init finds no providers")
    world.run("bootstrap", "secrets", folder=project.folder)
    world.synthesise(project.folder)
    api, stage = world.digitalocean, ("provision", "plan", "sandbox", "--stage", "dns", "--prepare")
    waiting = world.run(*stage, folder=project.folder)
    assert "sandbox-dns: is planned once the load balancer is there" in waiting
    world.run("provision", "apply", "sandbox", folder=project.folder)

    api.add_balancer("episodic-sandbox-ingress")
    api.zones.add(ZONE, "A", "ingress.sandbox", "203.0.113.1")  # by hand, before there was this stage
    assert "sandbox-dns: 2 resources to change" in world.run(*stage, folder=project.folder)
    world.run("provision", "apply", "sandbox", folder=project.folder)
    assert {item["name"]: item["data"] for item in api.zones.records[ZONE].values()} == HERE
    writes = world.writes()
    assert "sandbox-dns: 0 resources to change" in world.run(*stage, folder=project.folder)
    assert world.writes() == writes

    api.balancers.clear()
    assert "sandbox-dns: 2 resources to change" in world.run(*stage, "--destroy", folder=project.folder)
    world.run("provision", "apply", "sandbox", folder=project.folder)
    assert api.zones.records[ZONE] == {}
    assert "sandbox-dns: 0 resources to change" in world.run(*stage, "--destroy", folder=project.folder)

"""What the next step lacks, found without changing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.environment import Environment
from operations.review.doctor import looks
from tests.operations.conftest import Outside

GITOPS = "episodic/gitops/provisioning"


@pytest.fixture
def env(outside: Outside) -> Environment:
    """An environment for which everything is there; `tofu` says its version."""
    outside.digitalocean.zones.records["episodic.example"] = {}
    says(outside, "OpenTofu v1.12.6")
    return outside.environment()


def says(outside: Outside, text: str) -> None:
    """Let `tofu` print a text and do nothing else."""
    program = outside.tofu.folder / "tofu"
    program.write_text(f"#!/bin/sh\necho '{text}'\n")


def todo(env: Environment) -> dict[str, tuple[str, ...]]:
    return {look.what: look.todo for look in looks(env) if look.todo}


def test_where_all_is_there_nothing_is_to_do_and_nothing_changes(outside: Outside, env: Environment) -> None:
    found = {look.what: look.found for look in looks(env)}
    assert todo(env) == {}
    assert found["OpenTofu"] == "1.12.6"
    assert found["Kubernetes"] == "1.36.2-do.0"
    assert found["Droplets"] == "room for 25, the pools may grow to 8"
    assert found["Zone"] == "episodic.example is there"
    assert found["Buckets"] == "episodic-sandbox-state is free, episodic-sandbox-backups is free"
    assert (outside.vault.writes, outside.github.writes) == ([], [])
    assert outside.spaces.buckets() == []
    assert not outside.digitalocean.clusters


def test_each_thing_that_is_lacking_is_told(outside: Outside, env: Environment) -> None:
    outside.digitalocean.droplet_limit = 7
    outside.digitalocean.zones.records.clear()
    outside.digitalocean.versions[:] = ["1.35.1-do.0"]
    says(outside, "OpenTofu v1.11.9")
    found = todo(env)
    assert found["OpenTofu"] == ("tofu: must be 1.12 or later, found 1.11.9; upgrade OpenTofu",)
    assert found["Droplets"][0].startswith(
        "environments/sandbox.yaml: cluster.pools: may grow to 8 nodes, and the account has room for 7 of 7 Droplets; "
    )
    assert "DigitalOcean has no zone episodic.example" in found["Zone"][0]
    assert "DigitalOcean offers 1.35, found '1.36'" in found["Kubernetes"][0]


def test_droplets_that_the_cluster_has_already_are_room_for_it(outside: Outside, env: Environment) -> None:
    outside.digitalocean.droplet_limit = 8
    outside.digitalocean.droplets = {"1": {"id": 1}}
    assert todo(env)["Droplets"]
    cluster = outside.digitalocean.add_cluster(env.cluster.name)
    cluster["node_pools"] = [{"name": "default", "count": 1, "size": "s-2vcpu-4gb", "labels": {}, "nodes": []}]
    assert "Droplets" not in todo(env)


def test_what_a_person_brings_comes_first(outside: Outside, env: Environment) -> None:
    outside.vault.put(GITOPS, digitalocean_token="x")
    found = list(looks(env))
    assert [look.what for look in found] == ["OpenTofu", "Git", "Vault and GitHub", "DigitalOcean"]
    assert any("is missing" in sentence for sentence in found[2].todo)
    assert outside.digitalocean.requests == []


def test_a_program_that_is_not_there_is_told(
    outside: Outside, env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = todo(env)
    assert found["OpenTofu"] == ("tofu: is not installed; OpenTofu plans and applies the stacks; install it",)
    assert found["Git"] == ("git: is not installed; it makes the commits of promotions; install it",)

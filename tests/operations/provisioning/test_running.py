"""What a plan of the cluster is told about what runs, and which versions it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning.running import cluster_variables
from tests.operations.conftest import Outside
from tests.support import environment


def variables(outside: Outside, *, destroy: bool = False, **changes: Any) -> dict[str, str]:
    """Return the variables of the sandbox's cluster stack."""
    env = environment(platform__valkey_operator={"enabled": False}, **changes)  # Valkey needs 1.36
    return cluster_variables(env, DigitalOcean(outside.digitalocean.token), destroy=destroy)


def version(outside: Outside, minor: str, **options: Any) -> str:
    """Return the version that a plan is given where the file names this minor."""
    return variables(outside, cluster__kubernetes_minor=minor, **options)["TF_VAR_kubernetes_version"]


def refusal(outside: Outside, minor: str) -> str:
    """Return the sentence by which a minor is refused."""
    with pytest.raises(ConfigError) as told:
        version(outside, minor)
    return str(told.value)


KEY = "environments/sandbox.yaml: cluster.kubernetes_minor"


def test_a_new_cluster_gets_the_newest_patch_of_its_minor(outside: Outside) -> None:
    outside.digitalocean.versions = ["1.36.9-do.0", "1.36.10-do.0", "1.36.10-do.1", "1.35.1-do.0"]
    assert version(outside, "1.36") == "1.36.10-do.1"


@pytest.mark.parametrize(
    ("minor", "advice"),
    [("1.33", "raise it to '1.34'"), ("1.38", "lower it to '1.37'"), ("1.99", "lower it to '1.37'")],
)
def test_a_version_that_is_not_offered_is_told_with_the_next_one(outside: Outside, minor: str, advice: str) -> None:
    told = refusal(outside, minor)
    assert told == f"{KEY}: DigitalOcean offers 1.34, 1.35, 1.36, 1.37, found '{minor}'; {advice}"


@pytest.mark.parametrize("running", ["1.36.1-do.3", "1.36.2-do.0", "1.36.99-do.0"])
def test_the_patch_that_runs_is_kept_whatever_is_offered(outside: Outside, running: str) -> None:
    outside.digitalocean.add_cluster("episodic-sandbox", running)
    outside.digitalocean.versions = ["1.38.0-do.0"]  # not even its minor any more
    assert version(outside, "1.36") == running


def test_only_the_next_minor_upgrades(outside: Outside) -> None:
    outside.digitalocean.add_cluster("episodic-sandbox", "1.36.1-do.0")
    assert version(outside, "1.37") == "1.37.1-do.0"
    assert refusal(outside, "1.38") == (
        f"{KEY}: the cluster runs 1.36 and goes up by one minor at a time; set it to '1.37' first"
    )
    assert refusal(outside, "1.35") == f"{KEY}: the cluster runs 1.36 and cannot go back to 1.35; set it to '1.36'"
    assert outside.digitalocean.writes == []


def test_a_next_minor_that_is_not_offered_yet_is_told(outside: Outside) -> None:
    outside.digitalocean.add_cluster("episodic-sandbox", "1.37.1-do.0")
    assert refusal(outside, "1.38") == (
        f"{KEY}: DigitalOcean offers this cluster no upgrade to 1.38 yet; set it back to '1.37' until it does"
    )


def test_what_stands_in_the_way_of_an_upgrade_is_told_first(outside: Outside) -> None:
    outside.digitalocean.add_cluster("episodic-sandbox", "1.36.1-do.0")
    blocking = {"podDisruptionBudget": {"enabled": True, "minAvailable": 1}}
    traefik = {"replicas": 1, "extra_values": {"traefik": blocking}}
    with pytest.raises(ConfigError) as told:
        version(outside, "1.37", platform__traefik=traefik)
    assert str(told.value) == (
        f"{KEY}: first, HelmRelease flux-system traefik lets no pod go (spec.values.podDisruptionBudget); "
        "let one pod go, or add a replica"
    )
    assert version(outside, "1.36", platform__traefik=traefik) == "1.36.1-do.0"


def test_the_end_of_a_cluster_needs_no_version_that_is_offered(outside: Outside) -> None:
    outside.digitalocean.add_cluster("episodic-sandbox", "1.34.1-do.0")
    assert version(outside, "1.36", destroy=True) == "1.34.1-do.0"


def test_what_a_cluster_left_ends_without_a_version_that_is_offered_too(outside: Outside) -> None:
    outside.digitalocean.versions = ["1.38.0-do.0"]
    assert version(outside, "1.36", destroy=True) == "1.36"


def test_pools_are_counted_by_the_name_that_the_file_gives_within_their_bounds(outside: Outside) -> None:
    cluster = outside.digitalocean.add_cluster("episodic-sandbox")
    assert json.loads(variables(outside)["TF_VAR_pool_nodes"]) == {}
    pools = [("system", 9), ("workload", 0), ("workload", 2), ("gone", 3)]
    cluster["node_pools"] += [{"labels": {"pool": name}, "count": count} for name, count in pools]
    cluster["node_pools"].append({"labels": None, "count": 1})
    assert json.loads(variables(outside)["TF_VAR_pool_nodes"]) == {"system": 3, "workload": 2}


def test_a_file_that_means_another_generation_of_the_cluster_is_refused_while_one_lives(outside: Outside) -> None:
    assert variables(outside, cluster__generation=7), "a new one may be any"
    cluster = outside.digitalocean.add_cluster("episodic-sandbox")
    assert variables(outside, cluster__generation=2), "one without the tag may be any"
    cluster["tags"] = ["k8s", "generation:2", "environment:sandbox"]
    assert variables(outside, cluster__generation=2)
    with pytest.raises(ConfigError) as told:
        variables(outside, cluster__generation=3)
    assert str(told.value) == (
        "environments/sandbox.yaml: cluster.generation: the cluster that runs is of generation 2, found 3; "
        "set it back: it is raised for a cluster that is made anew"
    )
    assert variables(outside, cluster__generation=3, destroy=True)

"""The cluster: every default that a user relies on."""

from __future__ import annotations

from typing import Any

import pytest

from constructs_lib.cloud.doks import DoksCluster
from tests.support import Synthesised, environment, synthesised

TAINT = {"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}


def cluster_of(file: str = "sandbox", /, **changes: Any) -> Synthesised:
    env = environment(file, **changes)
    return synthesised(lambda stack: DoksCluster(stack, "doks", env=env))


def the_cluster(file: str = "sandbox", /, **changes: Any) -> dict[str, Any]:
    return cluster_of(file, **changes).only("digitalocean_kubernetes_cluster")


def test_the_system_pool_is_autoscaled_and_tainted_for_platform_services() -> None:
    pool = the_cluster("production")["node_pool"]
    assert (pool["name"], pool["size"]) == ("system", "s-4vcpu-8gb")
    assert (pool["auto_scale"], pool["min_nodes"], pool["max_nodes"]) == (True, 3, 6)
    assert pool["labels"] == {"pool": "system"}
    assert pool["taint"] == [TAINT]
    assert "node_count" not in pool


def test_the_workload_pool_is_autoscaled_and_open() -> None:
    stack = cluster_of("production")
    pool = stack.only("digitalocean_kubernetes_node_pool")
    assert pool["name"] == "workload"
    assert (pool["auto_scale"], pool["min_nodes"], pool["max_nodes"]) == (True, 3, 10)
    assert pool["labels"] == {"pool": "workload"}
    assert pool["taint"] == []
    (name,) = stack.all("digitalocean_kubernetes_cluster")
    assert pool["cluster_id"] == f"${{digitalocean_kubernetes_cluster.{name}.id}}"


def test_labels_and_taints_of_the_file_come_on_top() -> None:
    soft = {"key": "spot", "value": "yes", "effect": "PreferNoSchedule"}
    stack = cluster_of(
        cluster__system_pool__labels={"disk": "ssd", "pool": "mine"},
        cluster__system_pool__taints=[soft],
        cluster__workload_pool__taints=[soft],
    )
    system = stack.only("digitalocean_kubernetes_cluster")["node_pool"]
    assert system["labels"] == {"disk": "ssd", "pool": "system"}
    assert system["taint"] == [TAINT, soft]
    assert stack.only("digitalocean_kubernetes_node_pool")["taint"] == [soft]


def test_the_control_plane() -> None:
    cluster = the_cluster("production")
    assert cluster["ha"] is True
    assert cluster["auto_upgrade"] is True
    assert cluster["surge_upgrade"] is True
    assert cluster["maintenance_policy"] == {"day": "wednesday", "start_time": "02:00"}
    assert cluster["kubeconfig_expire_seconds"] == 3600
    assert cluster["control_plane_firewall"] == {"enabled": True, "allowed_addresses": ["203.0.113.10/32"]}


def test_without_addresses_the_firewall_is_off_and_says_so() -> None:
    assert the_cluster()["control_plane_firewall"] == {"enabled": False, "allowed_addresses": []}
    assert the_cluster()["ha"] is False


def test_the_version_follows_patches_of_one_minor() -> None:
    stack = cluster_of(cluster__kubernetes_minor="1.37")
    versions = stack.only("digitalocean_kubernetes_versions", block="data")
    (name,) = stack.all("digitalocean_kubernetes_versions", block="data")
    assert versions["version_prefix"] == "1.37."
    latest = f"${{data.digitalocean_kubernetes_versions.{name}.latest_version}}"
    assert stack.only("digitalocean_kubernetes_cluster")["version"] == latest


def test_the_network_is_the_environments_own() -> None:
    stack = cluster_of()
    vpc = stack.only("digitalocean_vpc")
    (name,) = stack.all("digitalocean_vpc")
    assert (vpc["name"], vpc["region"], vpc["ip_range"]) == ("episodic-sandbox", "lon1", "10.20.0.0/20")
    assert stack.only("digitalocean_kubernetes_cluster")["vpc_uuid"] == f"${{digitalocean_vpc.{name}.id}}"


@pytest.mark.parametrize(
    ("file", "purpose"), [("sandbox", "Development"), ("staging", "Staging"), ("production", "Production")]
)
def test_the_project_groups_the_cluster(file: str, purpose: str) -> None:
    stack = cluster_of(file)
    project = stack.only("digitalocean_project")
    assert (project["name"], project["purpose"]) == (f"episodic-{file}", "Service or API")
    assert project["environment"] == purpose
    assert "resources" not in project, "would remove what the cluster's controllers add to the project"
    (cluster,) = stack.all("digitalocean_kubernetes_cluster")
    assert stack.only("digitalocean_project_resources")["resources"] == [
        f"${{digitalocean_kubernetes_cluster.{cluster}.urn}}"
    ]


@pytest.mark.parametrize("further", [[], ["owner:platform"]])
def test_everything_carries_the_environments_tags(further: list[str]) -> None:
    stack = cluster_of("staging", cluster__tags=further)
    (name,) = stack.all("digitalocean_tag")
    tags = [f"${{digitalocean_tag.{name}.name}}", *further]
    assert stack.only("digitalocean_tag")["name"] == "environment:staging"
    cluster = stack.only("digitalocean_kubernetes_cluster")
    assert cluster["tags"] == tags
    assert cluster["node_pool"]["tags"] == tags
    assert stack.only("digitalocean_kubernetes_node_pool")["tags"] == tags


@pytest.mark.parametrize("protected", [True, False])
def test_protection(protected: bool) -> None:
    stack = cluster_of(cluster__protected=protected)
    cluster = stack.only("digitalocean_kubernetes_cluster")
    assert cluster["lifecycle"] == {"prevent_destroy": protected}
    assert cluster["destroy_all_associated_resources"] is not protected
    assert stack.only("digitalocean_vpc")["lifecycle"] == {"prevent_destroy": protected}


def test_nothing_is_put_out_since_others_find_the_cluster_by_name() -> None:
    assert "output" not in cluster_of().data

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


def pool_of(stack: Synthesised, name: str) -> dict[str, Any]:
    """Return the arguments of a named pool."""
    pools = stack.all("digitalocean_kubernetes_node_pool").values()
    (pool,) = (pool for pool in pools if pool["labels"]["pool"] == name)
    return pool


def test_the_pool_of_the_cluster_is_small_and_constant_and_repels_nobody_for_good() -> None:
    pool = the_cluster("production")["node_pool"]
    assert (pool["name"], pool["size"], pool["node_count"]) == ("default", "s-2vcpu-4gb", 2)
    assert pool["labels"] == {"pool": "default"}
    assert [taint["effect"] for taint in pool["taint"]] == ["PreferNoSchedule"]
    assert not {"auto_scale", "min_nodes", "max_nodes"} & pool.keys()
    assert pool == {**the_cluster()["node_pool"], "tags": pool["tags"]}


def test_a_system_pool_is_autoscaled_and_tainted_for_platform_services() -> None:
    pool = pool_of(cluster_of("production"), "system")
    assert (pool["name"], pool["size"]) == ("system-s-8vcpu-16gb", "s-8vcpu-16gb")
    assert (pool["auto_scale"], pool["min_nodes"], pool["max_nodes"]) == (True, 5, 7)
    assert pool["labels"] == {"pool": "system", "pool-role": "system"}
    assert pool["taint"] == [TAINT]


def test_a_workload_pool_is_autoscaled_and_open() -> None:
    stack = cluster_of("production")
    pool = pool_of(stack, "workload")
    assert pool["name"] == "workload-s-4vcpu-8gb"
    assert (pool["auto_scale"], pool["min_nodes"], pool["max_nodes"]) == (True, 3, 10)
    assert pool["labels"] == {"pool": "workload", "pool-role": "workload"}
    assert pool["taint"] == []
    (name,) = stack.all("digitalocean_kubernetes_cluster")
    assert pool["cluster_id"] == f"${{digitalocean_kubernetes_cluster.{name}.id}}"


def test_a_pool_is_replaced_by_one_that_comes_first_with_as_many_nodes() -> None:
    stack = cluster_of(cluster__protected=True)
    for name in ("system", "workload"):
        pool = pool_of(stack, name)
        assert pool["lifecycle"] == {"create_before_destroy": True, "ignore_changes": ["node_count"]}
        assert pool["node_count"] == f'${{lookup(var.pool_nodes, "{name}", null)}}'
    assert stack.data["variable"]["pool_nodes"]["default"] == {}


def test_a_pool_without_a_role_is_what_the_file_says() -> None:
    taint = {"key": "batch", "value": "yes", "effect": "NoExecute"}
    pool = {"size": "so1_5-2vcpu-16gb", "min_nodes": 0, "max_nodes": 5, "labels": {"disk": "ssd"}, "tags": ["batch"]}
    made = pool_of(cluster_of(cluster__pools__nightly={**pool, "taints": [taint]}), "nightly")
    assert (made["name"], made["size"]) == ("nightly-so1-5-2vcpu-16gb", "so1_5-2vcpu-16gb")
    assert (made["min_nodes"], made["max_nodes"]) == (0, 5)
    assert made["labels"] == {"disk": "ssd", "pool": "nightly"}
    assert made["taint"] == [taint]
    assert made["tags"][1:] == ["batch"]


def test_labels_and_taints_of_the_file_come_on_top() -> None:
    soft = {"key": "spot", "value": "yes", "effect": "PreferNoSchedule"}
    stack = cluster_of(
        cluster__pools__system__labels={"disk": "ssd"},
        cluster__pools__system__taints=[soft],
        cluster__pools__workload__taints=[soft],
    )
    assert pool_of(stack, "system")["labels"] == {"disk": "ssd", "pool": "system", "pool-role": "system"}
    assert pool_of(stack, "system")["taint"] == [TAINT, soft]
    assert pool_of(stack, "workload")["taint"] == [soft]


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


def test_the_version_is_given_and_has_to_be_of_the_minor_that_the_file_names() -> None:
    stack = cluster_of(cluster__kubernetes_minor="1.37")
    cluster = stack.only("digitalocean_kubernetes_cluster")
    assert cluster["version"] == "${var.kubernetes_version}"
    assert "default" not in stack.data["variable"]["kubernetes_version"]
    (condition,) = cluster["lifecycle"]["precondition"]
    assert condition["condition"] == '${startswith(var.kubernetes_version, "1.37.")}'


@pytest.mark.parametrize("named", [{"name": "shared"}, {"id": "5a4981aa-9653-4bd1-bef5-d6bff52042e4"}])
def test_a_network_that_exists_is_found_and_has_to_be_as_the_file_says(named: dict[str, str]) -> None:
    subnets = {"cluster_subnet": "10.100.0.0/16", "service_subnet": "10.101.0.0/20"}
    stack = cluster_of(cluster__network={"vpc": named, **subnets})
    assert stack.all("digitalocean_vpc") == {}
    found = stack.only("digitalocean_vpc", block="data")
    assert found.items() >= named.items()
    conditions = [item["condition"] for item in found["lifecycle"]["postcondition"]]
    assert conditions == ['${self.ip_range == "10.20.0.0/20"}', '${self.region == "lon1"}']
    (name,) = stack.all("digitalocean_vpc", block="data")
    cluster = stack.only("digitalocean_kubernetes_cluster")
    assert cluster["vpc_uuid"] == f"${{data.digitalocean_vpc.{name}.id}}"
    assert cluster.items() >= subnets.items()


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
    assert cluster["tags"] == [*tags, "generation:1"]
    assert cluster["node_pool"]["tags"] == tags
    assert [pool["tags"] for pool in stack.all("digitalocean_kubernetes_node_pool").values()] == [tags, tags]


@pytest.mark.parametrize("protected", [True, False])
def test_protection(protected: bool) -> None:
    stack = cluster_of(cluster__protected=protected)
    cluster = stack.only("digitalocean_kubernetes_cluster")
    assert cluster["lifecycle"]["prevent_destroy"] is protected
    assert cluster["destroy_all_associated_resources"] is not protected
    assert stack.only("digitalocean_vpc")["lifecycle"] == {"prevent_destroy": protected}


def test_nothing_is_put_out_since_others_find_the_cluster_by_name() -> None:
    assert "output" not in cluster_of().data

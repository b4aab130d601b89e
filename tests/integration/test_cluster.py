"""A short-lived cluster, made and removed by OpenTofu."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cdktf import Testing

from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning.running import cluster_variables
from stacks.cluster import ClusterStack
from tests.e2e.tofu import Tofu
from tests.integration.conftest import LIFE_SECONDS, refuse_cost
from tests.support import environment

LARGEST_NETWORKS = 256


@pytest.fixture
def short_lived(api: DigitalOcean, name: str, tag: str) -> Environment:
    """An environment with a network of its own, the smallest pools, and a tag that ends it."""
    taken = {network["ip_range"] for network in api.list("/v2/vpcs", "vpcs")}
    free = (f"10.128.{number}.0/24" for number in range(LARGEST_NETWORKS))
    pool = {"size": "s-2vcpu-4gb", "min_nodes": 1, "max_nodes": 1}
    env = environment(
        name=name,
        vpc_range=next(network for network in free if network not in taken),
        cluster__name=name,
        cluster__tags=[tag],
        cluster__pools={role: {"role": role, **pool} for role in ("system", "workload")},
    )
    refuse_cost(api, env, LIFE_SECONDS / 3600)
    return env


@pytest.fixture
def stack(short_lived: Environment, api: DigitalOcean, digitalocean_token: str, tmp_path: Path) -> Iterator[Tofu]:
    """The cluster's stack, with its state in this folder; whatever it makes is destroyed afterwards."""
    if shutil.which("tofu") is None:
        pytest.skip("tofu is not installed")
    made = ClusterStack(Testing.app(), f"{short_lived.name}-cluster", env=short_lived)
    keys = {key: value for key, value in os.environ.items() if key.startswith("DIGITALOCEAN_")}
    keys |= {"DIGITALOCEAN_TOKEN": digitalocean_token, **cluster_variables(short_lived, api, destroy=False)}
    tofu = Tofu(tmp_path / "stack", json.loads(str(Testing.synth(made))), keys)
    tofu.init()
    yield tofu
    tofu.destroy()


def test_a_cluster_is_made_marked_and_removed(
    stack: Tofu, api: DigitalOcean, short_lived: Environment, name: str, tag: str
) -> None:
    stack.apply()
    cluster = api.cluster(name)
    assert cluster is not None
    assert cluster["status"]["state"] == "running"
    assert {f"environment:{name}", tag} <= set(cluster["tags"])
    assert {pool["labels"]["pool"] for pool in cluster["node_pools"]} == {"default", "system", "workload"}
    (network,) = (item for item in api.list("/v2/vpcs", "vpcs") if item["name"] == name)
    assert tag in network["description"]
    stack.plan(changes=False)
    stack.destroy()
    assert api.cluster(name) is None
    assert all(item["name"] != name for item in api.list("/v2/vpcs", "vpcs"))

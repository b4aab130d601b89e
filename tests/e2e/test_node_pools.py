"""Node pools against a loopback DigitalOcean, with the real provider: made, resized, changed and removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.stacks import POOL_NODES, given
from constructs_lib.environment import StackKind
from tests.e2e.conftest import Cloud, OpenStack, write_stack
from tests.e2e.tofu import Tofu
from tests.support import environment

SYSTEM = {"role": "system", "size": "s-4vcpu-8gb", "min_nodes": 2, "max_nodes": 4}
WORKLOAD = {"role": "workload", "size": "s-2vcpu-4gb", "min_nodes": 1, "max_nodes": 3}
LARGER = {**SYSTEM, "size": "s-8vcpu-16gb"}
MOVED = ["system-s-8vcpu-16gb comes", "system-s-8vcpu-16gb runs", "system-s-4vcpu-8gb goes"]

Cluster = Callable[..., Tofu]


@pytest.fixture
def cluster(cloud: Cloud, open_stack: OpenStack, tmp_path: Path) -> Cluster:
    """Return a function that writes the stack of a protected cluster with these pools."""
    opened: list[Tofu] = []

    def write(*, protected: bool = True, **pools: Any) -> Tofu:
        env = environment(cluster__pools=pools, cluster__protected=protected)
        stack = json.loads((write_stack(tmp_path / "out", StackKind.CLUSTER, env) / "cdk.tf.json").read_text())
        if not opened:
            opened.append(open_stack(stack, **cloud.environment()))
            opened[0].init()
        opened[0].write("cdk.tf.json", stack)
        opened[0].write("state_override.tf.json", {"terraform": {"backend": {"local": {}}}})
        return opened[0]

    return write


def pools(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Return the named pools that DigitalOcean has, by the name that it knows them by."""
    (found,) = cloud.api.clusters.values()
    return {pool["name"]: pool for pool in found["node_pools"] if pool["name"] != "default"}


def again(tofu: Tofu, cloud: Cloud) -> None:
    """Apply a second time, and see that nothing is written."""
    before = len(cloud.api.writes)
    tofu.plan(changes=False)
    tofu.apply()
    assert cloud.api.writes[before:] == []


def test_a_pool_moves_to_another_size_before_the_old_one_goes(cloud: Cloud, cluster: Cluster) -> None:
    tofu = cluster(system=SYSTEM, workload=WORKLOAD)
    tofu.apply()
    again(tofu, cloud)
    pools(cloud)["system-s-4vcpu-8gb"]["count"] = 3  # the autoscaler's doing
    cloud.api.looks_until_pools_run = 2
    cloud.api.history.clear()
    tofu.environ[given(POOL_NODES)] = '{"system": 3, "workload": 1}'
    cluster(system=LARGER, workload=WORKLOAD).apply()
    assert cloud.api.history == MOVED
    assert pools(cloud)["system-s-8vcpu-16gb"]["count"] == 3
    again(tofu, cloud)
    del tofu.environ[given(POOL_NODES)]
    again(tofu, cloud)

    cloud.api.history.clear()
    cluster(system=LARGER, workload={**WORKLOAD, "size": "s-4vcpu-8gb"}).apply()
    made, old = "workload-s-4vcpu-8gb", "workload-s-2vcpu-4gb"
    assert cloud.api.history == [f"{made} comes", f"{made} runs", f"{old} goes"]
    again(tofu, cloud)

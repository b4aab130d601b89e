"""Node pools against a loopback DigitalOcean, with the real provider: made, resized, changed, removed, interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.stacks import POOL_NODES, given
from constructs_lib.environment import StackKind
from operations.clients.digitalocean import DigitalOcean
from operations.clients.spaces import Spaces
from operations.clients.tofu import Stack
from operations.provisioning.adoption import in_digitalocean, plan_with_adoption
from operations.provisioning.lost import apply_and_tidy, lost_pools
from tests.e2e.conftest import Cloud, OpenStack, write_stack
from tests.e2e.tofu import BINARY, Tofu
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY
from tests.support import environment

SYSTEM = {"role": "system", "size": "s-4vcpu-8gb", "min_nodes": 2, "max_nodes": 4}
WORKLOAD = {"role": "workload", "size": "s-2vcpu-4gb", "min_nodes": 1, "max_nodes": 3}
LARGER = {**SYSTEM, "size": "s-8vcpu-16gb"}
OLD, NEW = "system-s-4vcpu-8gb", "system-s-8vcpu-16gb"
MOVED = [f"{NEW} comes", f"{NEW} runs", f"{OLD} goes"]

GPU = {"size": "gpu-l40sx1-48gb", "min_nodes": 0, "max_nodes": 2, "labels": {"for": "models"}}
NAME = "episodic-sandbox"

Cluster = Callable[..., Tofu]


@pytest.fixture
def cluster(cloud: Cloud, open_stack: OpenStack, tmp_path: Path) -> Cluster:
    """Return a function that writes the stack of a protected cluster with these pools."""
    opened: list[Tofu] = []

    def write(*, protected: bool = True, **pools: Any) -> Tofu:
        env = environment(cluster__pools=pools, cluster__protected=protected)
        stack = json.loads((write_stack(tmp_path / "out", StackKind.CLUSTER, env) / "cdk.tf.json").read_text())
        if not opened:
            opened.append(open_stack(stack, "cdktf.out/stacks/sandbox-cluster", **cloud.environment()))
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
    cloud.api.looks_until_pools_run[NEW] = 2
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


def test_pools_come_change_in_place_and_go_without_touching_the_others(cloud: Cloud, cluster: Cluster) -> None:
    cluster(system=SYSTEM, workload=WORKLOAD).apply()
    before, (key,) = pools(cloud), cloud.api.clusters
    tofu = cluster(system=SYSTEM, workload=WORKLOAD, gpu=GPU)
    tofu.apply()
    gpu = pools(cloud)["gpu-gpu-l40sx1-48gb"]
    assert (gpu["count"], gpu["max_nodes"], gpu["labels"], gpu["taints"]) == (
        0,
        2,
        {"for": "models", "pool": "gpu"},
        [],
    )
    again(tofu, cloud)

    cloud.api.history.clear()
    taint = {"key": "batch", "value": "yes", "effect": "PreferNoSchedule"}
    wider = {**WORKLOAD, "max_nodes": 5, "labels": {"disk": "ssd"}, "taints": [taint], "tags": ["mine"]}
    cluster(system=SYSTEM, workload=wider, gpu=GPU).apply()
    workload = pools(cloud)["workload-s-2vcpu-4gb"]
    assert (workload["id"], workload["max_nodes"]) == (before["workload-s-2vcpu-4gb"]["id"], 5)
    assert workload["labels"] == {"disk": "ssd", "pool": "workload", "pool-role": "workload"}
    assert (workload["taints"], workload["tags"][-1]) == ([taint], "mine")
    assert not any(line.endswith(("comes", "goes")) for line in cloud.api.history)
    again(tofu, cloud)

    cluster(system=SYSTEM, workload=wider).apply()
    assert pools(cloud).keys() == {"system-s-4vcpu-8gb", "workload-s-2vcpu-4gb"}
    again(tofu, cloud)
    assert "Resource instance cannot be destroyed" in tofu.run("plan", "-destroy", code=1)
    assert cloud.api.clusters.keys() == {key}
    cluster(protected=False, system=SYSTEM, workload=wider).destroy()
    assert (cloud.api.clusters, cloud.api.vpcs, cloud.api.tags) == ({}, {}, {})
    tofu.destroy()


class Resize:
    """A cluster whose resize is cut off, and what becomes of its pools for the platform after that."""

    def __init__(self, cloud: Cloud, write: Cluster) -> None:
        self.cloud, self.write = cloud, write
        self.api, self.env = DigitalOcean(cloud.api.token), environment()
        self.spaces = Spaces(ACCESS_KEY, SECRET_KEY)
        self.lookups = in_digitalocean(self.api, self.spaces)
        write(system=SYSTEM, workload=WORKLOAD).apply()

    def start(self, **more: Any) -> Tofu:
        """Write the file of the resize, and forget what was before."""
        self.cloud.api.history.clear()
        return self.write(**{"system": LARGER, "workload": WORKLOAD, **more})

    def finish(self, **file: Any) -> list[str]:
        """Plan and apply a file as `operations provision` does; return what came and went of the pool `system`."""
        before = len(self.cloud.api.history)
        tofu = self.write(**{"workload": WORKLOAD, **file})
        assert self.env.state is not None
        unlocked = self.env.state.model_copy(update={"use_lockfile": False})  # its state is a file here
        stack = Stack("sandbox-cluster", unlocked, tofu.environ)
        changes = plan_with_adoption(stack, Path("planned"), self.lookups)
        assert changes or lost_pools(stack, self.api, NAME, changes), "the next run has nothing to do"
        apply_and_tidy(stack, Path("planned"), self.api, self.spaces, NAME)
        again(tofu, self.cloud)
        assert not lost_pools(stack, self.api, NAME)
        lines = [line for line in self.cloud.api.history[before:] if line.startswith("system")]
        return [line for line in lines if not line.endswith("runs")]


@pytest.fixture
def resize(cloud: Cloud, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resize:
    """A cluster with its first pools, in a process that finds OpenTofu and the fakes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{BINARY.parent}{os.pathsep}{os.environ['PATH']}")
    for name, value in {**cloud.environment(), "NO_PROXY": "127.0.0.1,localhost"}.items():
        monkeypatch.setenv(name, value)
    return Resize(cloud, cluster)


FILES = pytest.mark.parametrize("goes_on", [True, False], ids=["the same file", "taken back"])
"""What the next run finds: the resize, or the file as it was before."""


@FILES
def test_a_resize_that_was_killed_before_its_new_pool_is_in_a_state(resize: Resize, goes_on: bool) -> None:
    tofu = resize.start()
    tofu.kill_once(lambda: f"{NEW} comes" in resize.cloud.api.history)
    if goes_on:
        assert resize.finish(system=LARGER) == [f"{NEW} goes", f"{NEW} comes", f"{OLD} goes"]
    else:
        assert resize.finish(system=SYSTEM) == [f"{NEW} goes"]


def test_a_resize_that_was_killed_once_the_old_pool_is_gone(resize: Resize) -> None:
    resize.start().kill_once(lambda: f"{OLD} goes" in resize.cloud.api.history)
    assert resize.finish(system=LARGER) == [], "the new pool was taken over"


@FILES
def test_a_resize_whose_old_pool_cannot_go_yet(resize: Resize, goes_on: bool) -> None:
    """The state has both then: the new one, and the old one deposed."""
    resize.cloud.api.kept_pools.add(OLD)
    assert "cannot be deleted now" in resize.start().run("apply", "-auto-approve", code=1)
    resize.cloud.api.kept_pools.clear()
    if goes_on:
        assert resize.finish(system=LARGER) == [f"{OLD} goes"]
    else:
        assert resize.finish(system=SYSTEM) == [f"{NEW} goes"]


def test_the_end_of_a_pool_and_of_its_cluster_is_finished_by_the_run_after_one_that_was_killed(
    cloud: Cloud, cluster: Cluster
) -> None:
    cluster(protected=False, system=SYSTEM, workload=WORKLOAD, gpu=GPU).apply()
    (key,) = cloud.api.clusters
    tofu = cluster(protected=False, system=SYSTEM, workload=WORKLOAD)
    tofu.kill_once(lambda: "gpu-gpu-l40sx1-48gb goes" in cloud.api.history)
    tofu.apply()
    assert (cloud.api.clusters.keys(), pools(cloud).keys()) == ({key}, {OLD, "workload-s-2vcpu-4gb"})
    again(tofu, cloud)

    for seen in (lambda: f"{OLD} goes" in cloud.api.history, lambda: not cloud.api.clusters):
        tofu.kill_once(seen, "-destroy")
    tofu.destroy()
    assert (cloud.api.clusters, cloud.api.vpcs, cloud.api.tags) == ({}, {}, {})
    assert cloud.api.projects.keys() == {"default"}

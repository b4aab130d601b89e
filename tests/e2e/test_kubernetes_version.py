"""Versions and networks of a cluster against a loopback DigitalOcean, with the real provider."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.stacks import KUBERNETES_VERSION, given
from constructs_lib.environment import StackKind
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning.running import cluster_variables
from tests.e2e.conftest import Cloud, OpenStack, write_stack
from tests.e2e.tofu import LOCAL_STATE, Tofu
from tests.support import environment

Opened = Callable[..., Tofu]


@pytest.fixture
def opened(cloud: Cloud, open_stack: OpenStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Return a function that writes the stack of the sandbox's cluster, with what `operations provision` gives it."""
    monkeypatch.setenv("DIGITALOCEAN_API_URL", cloud.api.url)
    tofus: list[Tofu] = []

    def write(**changes: Any) -> Tofu:
        env = environment(**changes)
        stack = json.loads((write_stack(tmp_path / "out", StackKind.CLUSTER, env) / "cdk.tf.json").read_text())
        if not tofus:
            tofus.append(open_stack(stack, **cloud.environment()))
            tofus[0].init()
        tofus[0].write("cdk.tf.json", stack)
        tofus[0].write("state_override.tf.json", LOCAL_STATE)
        tofus[0].environ |= cluster_variables(env, DigitalOcean(cloud.api.token), destroy=False)
        return tofus[0]

    return write


def upgrades(cloud: Cloud) -> list[str]:
    """Return the versions to which somebody asked to upgrade."""
    return [request.body["version"] for request in cloud.api.writes if request.path.endswith("/upgrade")]


def test_digitalocean_keeps_the_patch_and_only_the_minor_of_the_file_upgrades(cloud: Cloud, opened: Opened) -> None:
    opened().apply()
    (cluster,) = cloud.api.clusters.values()
    assert cluster["version"] == "1.36.2-do.0"
    cluster["version"] = "1.36.5-do.1"  # in the maintenance window
    cloud.api.versions = ["1.38.0-do.0", "1.37.1-do.0"]  # and 1.36 is not offered to new clusters any more
    opened().plan(changes=False)

    tofu = opened(cluster__maintenance_window={"day": "any", "start_time": "03:00"})
    tofu.run("plan", "-out=planned")
    cluster["version"] = "1.36.6-do.0"  # between plan and apply
    del tofu.environ[given(KUBERNETES_VERSION)]  # a plan holds what it was made with
    tofu.run("apply", "planned")
    assert (cluster["maintenance_policy"]["day"], cluster["version"], upgrades(cloud)) == ("any", "1.36.6-do.0", [])

    tofu = opened(cluster__kubernetes_minor="1.37")
    assert "version" in tofu.plan(changes=True)
    tofu.apply()
    assert (cluster["version"], upgrades(cloud)) == ("1.37.1-do.0", ["1.37.1-do.0"])
    opened(cluster__kubernetes_minor="1.37").plan(changes=False)


def test_an_upgrade_whose_run_was_killed_is_asked_for_once(cloud: Cloud, opened: Opened) -> None:
    opened().apply()
    opened(cluster__kubernetes_minor="1.37").kill_once(lambda: upgrades(cloud) == ["1.37.1-do.0"])
    tofu = opened(cluster__kubernetes_minor="1.37")
    tofu.apply()
    tofu.plan(changes=False)
    (cluster,) = cloud.api.clusters.values()
    assert (cluster["version"], upgrades(cloud)) == ("1.37.1-do.0", ["1.37.1-do.0"])


def test_a_version_of_another_minor_than_the_file_says_makes_no_plan(cloud: Cloud, opened: Opened) -> None:
    tofu = opened()
    tofu.environ[given(KUBERNETES_VERSION)] = "1.37.1-do.0"
    assert "has to be a version of 1.36, as" in " ".join(tofu.run("plan", code=1).replace("│", " ").split())
    del tofu.environ[given(KUBERNETES_VERSION)]
    assert "No value for required variable" in tofu.run("plan", code=1)


def test_a_cluster_comes_into_a_network_that_exists_with_ranges_of_its_own(cloud: Cloud, opened: Opened) -> None:
    key = "5a4981aa-9653-4bd1-bef5-d6bff52042e4"
    vpc = {"id": key, "name": "shared", "region": "lon1", "ip_range": "10.20.0.0/20", "description": "", "urn": "x"}
    cloud.api.vpcs[key] = {**vpc, "created_at": "2026-01-01T00:00:00Z", "default": False}
    subnets = {"cluster_subnet": "10.100.0.0/16", "service_subnet": "10.101.0.0/20"}
    opened(cluster__network={"vpc": {"id": key}, **subnets}).run("plan")
    tofu = opened(cluster__network={"vpc": {"name": "shared"}, **subnets})
    tofu.apply()
    (cluster,) = cloud.api.clusters.values()
    assert cluster.items() >= {"vpc_uuid": key, **subnets}.items()
    tofu.plan(changes=False)
    tofu.destroy()
    assert cloud.api.vpcs.keys() == {key}, "it was there before"
    told = opened(vpc_range="10.21.0.0/20", cluster__network={"vpc": {"name": "shared"}}).run("plan", code=1)
    sentence = "The VPC's ip_range is 10.20.0.0/20, and environments/sandbox.yaml says 10.21.0.0/20."
    assert sentence in " ".join(told.replace("│", " ").split())

"""The state, cluster and Flux stacks against a loopback DigitalOcean, with the real providers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from constructs_lib.cloud.fluxcd import OPERATOR_CHART
from constructs_lib.environment import StackKind
from tests.e2e.conftest import Cloud, OpenStack, write_stack
from tests.e2e.tofu import Tofu
from tests.fakes.charts import FakeCharts
from tests.support import Synthesised, environment

ENVIRONMENTS = ("sandbox", "staging", "production")
DEPLOY_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2hunter2\n-----END OPENSSH PRIVATE KEY-----\n"
SECRET_ID = "a-secret-id-of-vault"

Stacks = dict[str, Synthesised]


def planned(tofu: Tofu) -> dict[str, str]:
    """Return what a plan would do: the action by the resource's type and name."""
    tofu.run("plan", "-out=planned")
    changes = json.loads(tofu.run("show", "-json", "planned"))["resource_changes"]
    return {
        change["address"]: "/".join(change["change"]["actions"]) for change in changes if change["mode"] == "managed"
    }


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("kind", ["state", "cluster"])
def test_every_environment_can_be_planned(
    cloud: Cloud, stacks: Stacks, open_stack: OpenStack, env: str, kind: str
) -> None:
    stack = stacks[f"{env}-{kind}"]
    tofu = open_stack(stack.data, **cloud.environment())
    tofu.init()
    assert planned(tofu) == dict.fromkeys(stack.addresses, "create")
    assert cloud.api.writes == []


def test_a_cluster_lives_and_dies(cloud: Cloud, stacks: Stacks, open_stack: OpenStack) -> None:
    tofu = open_stack(stacks["sandbox-cluster"].data, **cloud.environment())
    tofu.init()
    tofu.apply()
    (cluster,) = cloud.api.clusters.values()
    assert (cluster["name"], cluster["region"], cluster["version"]) == ("episodic-sandbox", "lon1", "1.36.2-do.0")
    assert (cluster["ha"], cluster["auto_upgrade"], cluster["surge_upgrade"]) == (False, True, True)
    pools = {pool["labels"]["pool"]: pool for pool in cluster["node_pools"]}
    assert {name: (pool["name"], pool["count"], "auto_scale" in pool) for name, pool in pools.items()} == {
        "default": ("default", 2, False),
        "system": ("system-s-4vcpu-8gb", 2, True),
        "workload": ("workload-s-2vcpu-4gb", 1, True),
    }
    assert [(pools[name]["min_nodes"], pools[name]["max_nodes"]) for name in ("system", "workload")] == [(2, 3), (1, 3)]
    assert pools["system"]["taints"] == [{"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}]
    assert pools["default"]["taints"] == [{"key": "only", "value": "default", "effect": "PreferNoSchedule"}]
    assert [vpc["ip_range"] for vpc in cloud.api.vpcs.values()] == ["10.20.0.0/20"]
    (project,) = (key for key, item in cloud.api.projects.items() if item["name"] == "episodic-sandbox")
    assert cloud.api.urns[project] == {f"do:kubernetes:{cluster['id']}"}
    tofu.plan(changes=False)

    pools["workload"]["max_nodes"] = 9
    cluster["maintenance_policy"]["day"] = "friday"
    drift = tofu.plan(changes=True)
    assert "max_nodes" in drift
    assert "friday" in drift
    tofu.apply()
    assert pools["workload"]["max_nodes"] == 3
    assert cluster["maintenance_policy"]["day"] == "sunday"
    tofu.plan(changes=False)

    pools["workload"]["count"] = 2  # what the autoscaler does is no drift
    cluster["node_pools"].reverse()  # nor is their order
    cloud.api.urns[project].add("do:loadbalancer:made-by-the-cluster")
    tofu.plan(changes=False)
    cloud.api.urns[project].discard("do:loadbalancer:made-by-the-cluster")

    assert cloud.api.cluster_token.encode() not in tofu.bytes()
    tofu.destroy()
    assert (cloud.api.clusters, cloud.api.vpcs, cloud.api.tags) == ({}, {}, {})
    assert cloud.api.projects.keys() == {"default"}


def test_state_moves_into_the_bucket_that_it_describes(cloud: Cloud, stacks: Stacks, open_stack: OpenStack) -> None:
    """The commands of docs/how-to/apply-an-environment.md."""
    tofu = open_stack(stacks["sandbox-state"].data, **cloud.environment())
    tofu.init()
    tofu.apply()
    (tofu.folder / "state_override.tf.json").unlink()
    # What a user does not need: Spaces is on loopback here.
    spaces = {"backend": {"s3": {"endpoints": {"s3": cloud.spaces.url}, "use_path_style": True}}}
    stack = json.loads(json.dumps(stacks["sandbox-state"].data))
    stack["terraform"]["backend"]["s3"] |= spaces["backend"]["s3"]
    tofu.write("cdk.tf.json", stack)
    tofu.run("init", "-migrate-state", "-force-copy")
    tofu.plan(changes=False)
    objects = cloud.spaces.objects("episodic-sandbox-state")
    assert objects.keys() == {"sandbox-state.tfstate"}
    assert b"encrypted_data" in objects["sandbox-state.tfstate"]
    assert cloud.api.spaces_keys == {}, "no secret of a key is in the state"
    assert "Resource instance cannot be destroyed" in tofu.run("plan", "-destroy", code=1)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_flux_is_planned_before_the_cluster_answers_and_its_secrets_are_in_no_file(
    cloud: Cloud, open_stack: OpenStack, tmp_path: Path, env: str
) -> None:
    approle = {"method": "approle", "mount": "approle", "role_id": "role"}
    with FakeCharts([OPERATOR_CHART]) as charts:
        changed = environment(env, chart_mirror=charts.url, vault__auth=approle)
        folder = write_stack(tmp_path / "out", StackKind.FLUX, changed)
        stack = json.loads((folder / "cdk.tf.json").read_text())
        cloud.api.add_cluster(f"episodic-{env}")
        secrets = {"TF_VAR_flux_deploy_key": DEPLOY_KEY, "TF_VAR_vault_secret_id": SECRET_ID}
        tofu = open_stack(stack, **cloud.environment(), **cloud.cluster_environment(), **secrets)
        shutil.copytree(folder / "assets", tofu.folder / "assets")
        tofu.init()
        assert planned(tofu) == dict.fromkeys(Synthesised(stack).addresses, "create")
        shown = tofu.run("show", "-json", "planned").encode() + tofu.bytes()
        assert b"hunter2" not in shown
        assert SECRET_ID.encode() not in shown
        assert cloud.api.cluster_token.encode() not in tofu.bytes()

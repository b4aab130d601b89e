"""Taking over what is there already."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.bucket import Bucket
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.repository import StateBucket
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.clients.spaces import Spaces
from operations.clients.state_lock import BusyError, StateLock
from operations.clients.tofu import Change, Json
from operations.provisioning.adoption import (
    in_digitalocean,
    in_github,
    plan_with_adoption,
    remove_lost,
    remove_lost_keys,
    remove_lost_pools,
)
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY
from tests.operations.conftest import Outside

CLUSTER, POOL = "digitalocean_kubernetes_cluster.c", "digitalocean_kubernetes_node_pool.p"


class FakeStack:
    """A stack whose pool is only known by its cluster once that is imported."""

    def __init__(self, *actions: str) -> None:
        self.actions = actions or ("create",)
        self.imported: dict[str, str] = {}
        self.plans: list[tuple[dict[str, str], bool]] = []
        self.definition: dict[str, Any] = {"resource": {POOL.partition(".")[0]: {"p": {}}}}
        self.state: list[dict[str, Any]] = []

    def plan(self, file: Path, *, lock: bool) -> list[Change]:
        self.plans.append((dict(self.imported), lock))
        pool = {"name": "p", **({"cluster_id": "c-1"} if CLUSTER in self.imported else {})}
        values = {CLUSTER: {"name": "c"}, POOL: pool}
        return [
            Change(address, address.partition(".")[0], self.actions, after, address in self.imported, {})
            for address, after in values.items()
        ]

    @contextmanager
    def imports(self, ids: Mapping[str, str]) -> Generator[None]:
        self.imported = dict(ids)
        yield
        self.imported = {}

    def resources(self) -> list[dict[str, Any]]:
        return self.state

    def forget(self, address: str) -> None:
        self.state = [item for item in self.state if item["address"] != address]


def nothing(_: Json) -> None:
    """Find nothing."""


def the_cluster(_: Json) -> str:
    """Find a cluster, whatever its name is."""
    return "c-1"


def the_pool(after: Json) -> str | None:
    """Find a pool once its cluster is known."""
    return "p-1" if "cluster_id" in after else None


def no_question(_: Json) -> str:
    """Fail, since nothing is to be looked up."""
    pytest.fail("looked up")


def adopt(stack: Any, **lookups: Any) -> list[Change]:
    named = {f"digitalocean_kubernetes_{kind}": lookup for kind, lookup in lookups.items()}
    return plan_with_adoption(stack, Path("x"), named)


def test_nothing_found_is_one_plan() -> None:
    stack = FakeStack()
    changes = adopt(stack, cluster=nothing)
    assert stack.plans == [({}, True)]
    assert not any(change.imported for change in changes)


def test_what_is_found_is_imported_and_what_that_lets_find_too() -> None:
    stack = FakeStack()
    changes = adopt(stack, cluster=the_cluster, node_pool=the_pool)
    assert [imported for imported, _ in stack.plans] == [{}, {CLUSTER: "c-1"}, {CLUSTER: "c-1", POOL: "p-1"}]
    assert all(change.imported for change in changes)


@pytest.mark.parametrize(("lock", "kept"), [(True, ["other.x"]), (False, [CLUSTER, "other.x"])])
def test_what_is_gone_leaves_the_state_before_its_address_takes_another_over(lock: bool, kept: list[str]) -> None:
    stack: Any = FakeStack()
    stack.state = [{"address": CLUSTER}, {"address": "other.x"}]
    plan_with_adoption(stack, Path("x"), {"digitalocean_kubernetes_cluster": the_cluster}, lock=lock)
    assert [item["address"] for item in stack.state] == kept


def test_only_what_would_be_created_is_looked_up() -> None:
    for actions in (("update",), ("delete",), ("delete", "create")):
        stack = FakeStack(*actions)
        adopt(stack, cluster=no_question)
        assert len(stack.plans) == 1


def test_what_a_killed_replacement_left_deposed_is_neither_forgotten_nor_taken_over() -> None:
    class Deposed(FakeStack):
        def plan(self, file: Path, *, lock: bool) -> list[Change]:
            new = super().plan(file, lock=lock)
            return [*new, new[0]._replace(actions=("delete",))]

    stack: Any = Deposed()
    stack.state = [{"address": CLUSTER, "deposed_key": "abcdef12"}]
    changes = adopt(stack, cluster=the_cluster)
    assert stack.state, "the old one would run on, and no state would know it"
    assert not any(change.imported for change in changes)


def test_a_plan_for_looking_locks_nothing_ever() -> None:
    stack: Any = FakeStack()
    plan_with_adoption(stack, Path("x"), {"digitalocean_kubernetes_cluster": the_cluster}, lock=False)
    assert [lock for _, lock in stack.plans] == [False, False]


def test_things_are_found_by_their_names_in_digitalocean(outside: Outside) -> None:
    api = DigitalOcean(outside.digitalocean.token)
    cluster = outside.digitalocean.add_cluster("c")
    outside.digitalocean.add_cluster("other")
    outside.digitalocean.vpcs["v-1"] = {"id": "v-1", "name": "v"}
    held = Bucket(bucket="held", region="lon1")

    class Buckets:
        def exists(self, bucket: Bucket) -> bool:
            return bucket == held

    spaces: Any = Buckets()
    lookups = in_digitalocean(api, spaces)

    def find(kind: str, **after: str) -> str | None:
        return lookups[f"digitalocean_{kind}"](after)

    assert find("spaces_bucket", name="held", region="lon1") == "lon1,held"
    assert find("spaces_bucket", name="held", region="ams3") is None
    assert find("vpc", name="v") == "v-1"
    assert find("vpc", name="w") is None
    assert find("project", name="default") == "default"
    assert find("kubernetes_cluster", name="c") == cluster["id"]
    assert find("kubernetes_node_pool", name="default", cluster_id=cluster["id"]) == cluster["node_pools"][0]["id"]
    assert find("kubernetes_node_pool", name="other", cluster_id=cluster["id"]) is None
    assert find("kubernetes_node_pool", name="default") is None


def test_things_are_found_by_their_names_in_github(outside: Outside) -> None:
    scope = outside.github.add_repository("tools")
    scope["rulesets"][7] = {"id": 7, "name": "main"}
    scope["keys"][8] = {"id": 8, "title": "flux"}
    scope["environments"]["sandbox"] = {"policies": {9: {"id": 9, "name": "main"}}, "variables": {"A": {"name": "A"}}}
    lookups = in_github(GitHub(outside.github.token), "df12-test")

    def find(kind: str, **after: str) -> str | None:
        return lookups[f"github_{kind}"]({"repository": "tools", "environment": "sandbox", **after})

    assert find("repository", name="tools") == "tools"
    assert find("repository", name="other") is None
    assert find("repository_ruleset", name="main") == "tools:7"
    assert find("repository_deploy_key", title="flux") == "tools:8"
    assert find("repository_deploy_key", title="other") is None
    policy = "repository_environment_deployment_policy"
    assert find(policy, branch_pattern="main") == "tools:sandbox:9"
    assert find(policy, branch_pattern="other") is None
    assert find("actions_environment_variable", variable_name="A") == "tools:sandbox:A"
    assert find("actions_environment_variable", variable_name="B") is None


def test_only_keys_that_nobody_knows_any_more_are_removed(outside: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    keys = outside.digitalocean.spaces_keys
    keys.update({key: {"name": name, "access_key": key} for key, name in (("K", "b"), ("L", "b"), ("M", "mine"))})
    stack: Any = FakeStack()
    stack.definition = {"resource": {"digitalocean_spaces_key": {"b": {"name": "b"}}}}
    stack.state = [
        {"type": "digitalocean_spaces_key", "values": {"access_key": "K"}},
        {"type": "digitalocean_tag", "values": {"access_key": "L"}},
    ]
    remove_lost_keys(stack, DigitalOcean(outside.digitalocean.token))
    assert set(keys) == {"K", "M"}
    assert capsys.readouterr().out == "Spaces key b: removed one that no state knows\n"


def test_a_stack_without_keys_asks_for_none(outside: Outside) -> None:
    stack: Any = FakeStack()
    remove_lost_keys(stack, DigitalOcean(outside.digitalocean.token))
    assert outside.digitalocean.requests == []


def test_what_another_run_has_just_made_is_not_removed(outside: Outside) -> None:
    outside.digitalocean.spaces_keys["NEW"] = {"name": "b", "access_key": "NEW"}
    state = StateBucket(bucket="states", region="lon1")
    spaces = Spaces(ACCESS_KEY, SECRET_KEY)
    spaces.create(state)
    stack: Any = FakeStack()
    stack.name, stack.state = "gitops-repository", state
    stack.definition = {"resource": {"digitalocean_spaces_key": {"b": {"name": "b"}}}}
    stack.resources = list[Any]
    api = DigitalOcean(outside.digitalocean.token)
    with StateLock(spaces, state, stack.name).held("apply"):  # as the other run does, whose state tells of no key yet
        with pytest.raises(BusyError, match=r"gitops-repository: its state is locked by .* \(apply\)"):
            remove_lost(stack, api, spaces)
        assert outside.digitalocean.spaces_keys.keys() == {"NEW"}
    remove_lost(stack, api, spaces)
    assert (outside.digitalocean.spaces_keys, outside.spaces.objects("states")) == ({}, {})


def pool(id_: str, name: str, size: str, **labels: str) -> dict[str, Any]:
    return {"id": id_, "name": f"{name}-{size}", "size": size, "labels": {"pool": name, **labels}, "nodes": []}


def test_only_pools_that_a_killed_run_made_to_replace_others_are_removed(
    outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = outside.digitalocean.add_cluster("c")
    old, lost = pool("old", "system", "s-4vcpu-8gb"), pool("lost", "system", "s-8vcpu-16gb")
    first = pool("first", "workload", "s-4vcpu-8gb")  # of a run that was killed before the state knew any: imported
    mine = {**pool("mine", "system", "s-2vcpu-4gb"), "name": "made-by-hand"}
    cluster["node_pools"] += [old, lost, first, mine, {**pool("none", "x", "y"), "labels": None}]
    stack: Any = FakeStack()
    api = DigitalOcean(outside.digitalocean.token)
    remove_lost_pools(stack, api, "c")
    assert outside.digitalocean.requests == []
    stack.state = [{"type": "digitalocean_kubernetes_node_pool", "values": old}]
    remove_lost_pools(stack, api, "elsewhere")
    remove_lost_pools(stack, api, "c")
    assert [item["id"] for item in cluster["node_pools"][1:]] == ["old", "first", "mine", "none"]
    cluster["node_pools"] = [lost]  # the old one is gone, and the plan takes the new one over
    remove_lost_pools(stack, api, "c")
    assert cluster["node_pools"] == [lost]
    printed = "node pool system-s-8vcpu-16gb: removing one that a killed run left\n"
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("labels", [None, {}])
def test_a_pool_whose_labels_somebody_removed_is_in_nobodys_way(outside: Outside, labels: Any) -> None:
    cluster = outside.digitalocean.add_cluster("c")
    bare = {**pool("old", "system", "s-4vcpu-8gb"), "labels": labels}
    cluster["node_pools"] += [bare, {**pool("mine", "x", "y"), "labels": labels}]
    stack: Any = FakeStack()
    stack.state = [{"type": "digitalocean_kubernetes_node_pool", "values": bare}]
    remove_lost_pools(stack, DigitalOcean(outside.digitalocean.token), "c")
    assert outside.digitalocean.writes == []


@pytest.mark.parametrize("status", ["draining", "deleting"])
def test_a_pool_stays_whose_forerunner_is_going_already(outside: Outside, status: str) -> None:
    cluster = outside.digitalocean.add_cluster("c")
    old = {**pool("old", "system", "s-4vcpu-8gb"), "nodes": [{"status": {"state": status}}]}
    cluster["node_pools"] += [old, pool("new", "system", "s-8vcpu-16gb")]
    stack: Any = FakeStack()
    stack.state = [{"type": "digitalocean_kubernetes_node_pool", "values": old}]
    with pytest.raises(ConfigError) as told:
        remove_lost_pools(stack, DigitalOcean(outside.digitalocean.token), "c")
    assert str(told.value) == (
        "node pool system-s-8vcpu-16gb: replaced one that is still going; plan again once it is gone"
    )
    assert outside.digitalocean.writes == []

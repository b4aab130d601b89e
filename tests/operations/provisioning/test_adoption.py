"""Taking over what is there already."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.bucket import Bucket
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.clients.tofu import Change, Json
from operations.provisioning.adoption import in_digitalocean, in_github, plan_with_adoption
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
    for actions in (("update",), ("delete",), ("delete", "create"), ("create", "delete")):
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


@pytest.mark.parametrize(
    "actions", [("create",), ("create", "delete")], ids=["the new one was coming", "the new one was there"]
)
def test_what_a_killed_replacement_left_deposed_is_taken_over_where_the_file_wants_it_back(
    actions: tuple[str, ...],
) -> None:
    class Deposed(FakeStack):
        def plan(self, file: Path, *, lock: bool) -> list[Change]:
            new = super().plan(file, lock=lock)
            if self.imported:
                return new
            return [*new, new[0]._replace(actions=("delete",), before={"id": "c-1"})]

    stack: Any = Deposed(*actions)
    stack.state = [{"address": CLUSTER}, {"address": CLUSTER, "deposed_key": "abcdef12"}]
    changes = adopt(stack, cluster=the_cluster)
    assert stack.state == []
    assert [change.address for change in changes if change.imported] == [CLUSTER]


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

"""What changes of settings do at DigitalOcean: our rules and our look at stacks, beside the real provider's plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from constructs_lib.base.change import Effect
from constructs_lib.base.stacks import KUBERNETES_VERSION, given
from constructs_lib.base.transition import transitions
from constructs_lib.environment import Environment, StackKind
from constructs_lib.environment.cluster import Cluster
from operations.review.stack_changes import LOSING, stack_changes
from tests.constructs_lib.environment.test_changes import settings
from tests.e2e.conftest import Cloud, OpenStack, write_stack
from tests.e2e.tofu import Tofu
from tests.support import environment

CLUSTER, VPC, BUCKET, POOL, RECORD = (
    f"digitalocean_{kind}" for kind in ("kubernetes_cluster", "vpc", "spaces_bucket", "kubernetes_node_pool", "record")
)
FREE, ROLLS, REPLACES, STEPS, REFUSED = Effect.FREE, Effect.ROLLS, Effect.REPLACES, Effect.STEPS, Effect.REFUSED
ACTIONS = {
    ("create",): "added",
    ("update",): "changed",
    ("delete",): "destroyed",
    ("create", "delete"): "replaced",
    ("delete", "create"): "replaced",
}

ALLOWED, FURTHER = "203.0.113.10/32", "198.51.100.0/24"
SYSTEM = {"role": "system", "size": "s-4vcpu-8gb", "min_nodes": 2, "max_nodes": 4}
WORKLOAD = {"role": "workload", "size": "s-2vcpu-4gb", "min_nodes": 1, "max_nodes": 3}
SPARE = {"size": "s-2vcpu-4gb", "min_nodes": 0, "max_nodes": 2}
TAINT = {"key": "batch", "value": "yes", "effect": "PreferNoSchedule"}
BEFORE: dict[str, Any] = {
    "cluster__kubernetes_minor": "1.37",
    "cluster__high_availability": True,
    "cluster__control_plane_allowed_addresses": [ALLOWED],
    "runner": "own",
    "cluster__pools": {"system": SYSTEM, "workload": WORKLOAD, "spare": SPARE},
    "platform__observability__traces": {
        "backend": "tempo",
        "bucket": {"bucket": "episodic-sandbox-traces", "region": "lon1"},
    },
}
"""What the sandbox says otherwise before each change."""
SHARED = {"id": "5a4981aa-9653-4bd1-bef5-d6bff52042e4", "name": "shared", "region": "lon1", "ip_range": "10.20.0.0/20"}


def pools(**changes: dict[str, Any]) -> dict[str, Any]:
    """Return the pools with changes of some."""
    old: dict[str, Any] = BEFORE["cluster__pools"]
    return {"cluster__pools": {name: {**pool, **changes.get(name, {})} for name, pool in old.items()}}


class Case(NamedTuple):
    """Changes of settings, all at once; what our rule says of each; and what the provider loses with them."""

    name: str
    kind: StackKind
    changes: dict[str, Any]
    rules: dict[str, Effect]
    lost: frozenset[str] = frozenset()

    @property
    def lasting(self) -> frozenset[str]:
        """What it loses that takes something along which nothing brings back."""
        return self.lost & {CLUSTER, VPC, BUCKET}


WINDOW, POOLS, NETWORK = "cluster.maintenance_window", "cluster.pools", "cluster.network"
CASES = (
    Case(
        "all that is changed in place",
        StackKind.CLUSTER,
        {
            "tier": "staging",
            "reviewers": {"teams": ["platform"]},
            "cluster__generation": 2,
            "cluster__protected": True,
            "cluster__high_availability": False,
            "cluster__kubernetes_minor": "1.38",
            "cluster__maintenance_window": {"day": "any", "start_time": "03:00"},
            "cluster__control_plane_allowed_addresses": [ALLOWED, FURTHER],
            "cluster__kubeconfig_expire_seconds": 7200,
            "cluster__tags": ["mine"],
            **pools(
                system={"min_nodes": 3, "max_nodes": 5},
                spare={"role": "workload", "labels": {"disk": "ssd"}, "taints": [TAINT], "tags": ["mine"]},
            ),
        },
        {
            "tier": ROLLS,
            "reviewers.teams[platform]": FREE,
            "cluster.generation": STEPS,
            "cluster.protected": FREE,
            "cluster.high_availability": REFUSED,  # by its API alone, which no plan asks
            "cluster.kubernetes_minor": ROLLS,
            f"{WINDOW}.day": FREE,
            f"{WINDOW}.start_time": FREE,
            f"cluster.control_plane_allowed_addresses[{FURTHER}]": ROLLS,
            "cluster.kubeconfig_expire_seconds": FREE,
            "cluster.tags[mine]": FREE,
            f"{POOLS}[system].min_nodes": FREE,
            f"{POOLS}[system].max_nodes": FREE,
            f"{POOLS}[spare].role": ROLLS,
            f"{POOLS}[spare].labels[disk]": FREE,
            f"{POOLS}[spare].taints[0]": ROLLS,
            f"{POOLS}[spare].tags[mine]": FREE,
        },
    ),
    Case(
        "the name",
        StackKind.CLUSTER,
        {"cluster__name": "other"},
        {"cluster.name": REFUSED},  # by us alone: keys and Vault's mounts are named after it
    ),
    Case(
        "what DigitalOcean is not told",
        StackKind.CLUSTER,
        {
            "cluster__network_policies": "cilium",
            "cluster__allow_single_point_of_failure": True,
            "cluster__network": {"neighbours": ["10.20.1.0/24"]},
        },
        {
            "cluster.network_policies": FREE,
            "cluster.allow_single_point_of_failure": FREE,
            f"{NETWORK}.neighbours[10.20.1.0/24]": FREE,
        },
    ),
    Case(
        "pools that move, come and go",
        StackKind.CLUSTER,
        {
            "cluster__pools": {
                "system": {**SYSTEM, "size": "s-8vcpu-16gb"},
                "workload": WORKLOAD,
                "more": SPARE,
            }
        },
        {f"{POOLS}[system].size": ROLLS, f"{POOLS}[more]": FREE, f"{POOLS}[spare]": ROLLS},
        frozenset({POOL}),
    ),
    Case(
        "a lower minor",
        StackKind.CLUSTER,
        {"cluster__kubernetes_minor": "1.36"},
        {"cluster.kubernetes_minor": REFUSED},
        frozenset({CLUSTER, POOL}),
    ),
    Case(
        "the region",
        StackKind.CLUSTER,
        {"region": "ams3"},
        {"region": REFUSED},
        frozenset({CLUSTER, VPC, POOL}),
    ),
    Case(
        "the VPC's range",
        StackKind.CLUSTER,
        {"vpc_range": "10.99.0.0/20"},
        {"vpc_range": REFUSED},
        frozenset({CLUSTER, VPC, POOL}),
    ),
    Case(
        "another VPC",
        StackKind.CLUSTER,
        {"cluster__network": {"vpc": {"name": "shared"}}},
        {f"{NETWORK}.vpc": REFUSED},
        frozenset({CLUSTER, VPC, POOL}),
    ),
    Case(
        "the pods' range",
        StackKind.CLUSTER,
        {"cluster__network": {"cluster_subnet": "10.100.0.0/16"}},
        {f"{NETWORK}.cluster_subnet": REFUSED},
        frozenset({CLUSTER, POOL}),
    ),
    Case(
        "the Services' range",
        StackKind.CLUSTER,
        {"cluster__network": {"service_subnet": "10.101.0.0/20"}},
        {f"{NETWORK}.service_subnet": REFUSED},
        frozenset({CLUSTER, POOL}),
    ),
    Case(
        "other buckets, and none",
        StackKind.STATE,
        {
            "state": {"bucket": "other-state", "region": "lon1", "use_lockfile": False},
            "backups": {"bucket": "episodic-sandbox-backups", "region": "ams3"},
            "platform__observability__traces": {"backend": "none"},
        },
        {
            "state.bucket": REFUSED,
            "state.use_lockfile": FREE,
            "backups.region": REFUSED,
            "platform.observability.traces.backend": REPLACES,
            "platform.observability.traces.bucket": REPLACES,
        },
        frozenset({BUCKET}),
    ),
    Case("the hosts' names", StackKind.DNS, {"domain": "other.episodic.example"}, {"domain": ROLLS}),
    Case(
        "the zone",
        StackKind.DNS,
        {"dns": {"zone": "sandbox.episodic.example"}},
        {"dns.zone": REPLACES},
        frozenset({RECORD}),
    ),
)
KINDS = (StackKind.CLUSTER, StackKind.STATE, StackKind.DNS)
VERSIONS = {"1.36": "1.36.2-do.0", "1.37": "1.37.1-do.0", "1.38": "1.38.0-do.0"}


class Told(NamedTuple):
    """What is told of a case by our rules and the provider's plan, and whether our look at the stacks says the same."""

    rules: Mapping[str, Effect]
    lost: frozenset[str]
    alike: bool


class Applied:
    """A stack of the sandbox that is applied, and plans of what changes would do to it."""

    def __init__(self, kind: StackKind, tofu: Tofu, folder: Path) -> None:
        self.kind, self.tofu, self.folder = kind, tofu, folder
        folder.mkdir()
        self.before = environment(**BEFORE)
        self._write("before", self.before)
        tofu.init()
        tofu.apply()

    def _write(self, name: str, env: Environment) -> None:
        stack = json.loads((write_stack(self.folder / name, self.kind, env) / "cdk.tf.json").read_text())
        # Only so does a plan say what it would do, instead of that it may not.
        for resource in (item for named in stack["resource"].values() for item in named.values()):
            resource.get("lifecycle", {}).pop("prevent_destroy", None)
        self.tofu.write("cdk.tf.json", stack)
        self.tofu.environ[given(KUBERNETES_VERSION)] = VERSIONS[env.cluster.kubernetes_minor]

    def told(self, case: Case) -> Told:
        after = environment(**{**BEFORE, **case.changes})
        self._write("after", after)
        self.tofu.run("plan", "-refresh=false", "-out=planned")
        planned = dict(_planned(json.loads(self.tofu.run("show", "-json", "planned"))))
        ours = {item.address: item.action for item in stack_changes(self.folder / "before", self.folder / "after")}
        kinds = {address.partition(".")[0] for address in _lost(planned)}
        before, now = (env.model_dump(mode="json") for env in (self.before, after))
        rules = {item.key: item.rule.effect for item in transitions(Environment, before, now)}
        lost = frozenset(kinds & {CLUSTER, VPC, BUCKET, POOL, RECORD})
        return Told(rules, lost, alike=_lost(planned) == _lost(ours))


def _planned(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for item in plan["resource_changes"]:
        if item["mode"] == "managed" and item["change"]["actions"] != ["no-op"]:
            yield item["address"], ACTIONS[tuple(item["change"]["actions"])]


def _lost(changes: Mapping[str, str]) -> set[str]:
    return {address for address, action in changes.items() if action in LOSING}


@pytest.mark.parametrize("kind", KINDS)
def test_the_provider_loses_what_our_rules_say_and_no_more(
    cloud: Cloud, open_stack: OpenStack, tmp_path: Path, kind: StackKind
) -> None:
    cloud.api.zones.records |= {"episodic.example": {}, "sandbox.episodic.example": {}}
    cloud.api.add_balancer("episodic-sandbox-ingress")
    applied = Applied(kind, open_stack({}, **cloud.environment()), tmp_path / "written")
    rest = {"description": "", "urn": "x", "created_at": "2026-01-01T00:00:00Z", "default": False}
    cloud.api.vpcs[SHARED["id"]] = {**SHARED, **rest}
    cases = [case for case in CASES if case.kind is kind]
    assert {case.name: applied.told(case) for case in cases} == {
        # The version is a variable, so no stack says that it goes back: the rule does.
        case.name: Told(case.rules, case.lost, alike=case.name != "a lower minor")
        for case in cases
    }


def test_each_setting_of_a_cluster_is_in_a_case_and_none_that_loses_something_is_free() -> None:
    tried = {re.sub(r"\[[^\]]*\]", "", key) for case in CASES for key in case.rules}
    known = {key for key, _, _ in settings(Cluster, "cluster.")} - {"cluster.provider"}
    assert [key for key in known if not any(_within(key, one) or _within(one, key) for one in tried)] == []
    for case in CASES:
        farthest = max(case.rules.values(), key=lambda effect: effect.rank)
        assert not case.lasting or farthest.rank >= REPLACES.rank, case.name


def _within(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.")

"""Removing what killed runs left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.repository import StateBucket
from operations.clients.digitalocean import DigitalOcean
from operations.clients.spaces import Spaces
from operations.clients.state_lock import BusyError, StateLock
from operations.clients.tofu import Change
from operations.provisioning.lost import apply_and_tidy, lost_pools, remove_doubled_records, remove_lost_pools
from tests.fakes.spaces import ACCESS_KEY, SECRET_KEY
from tests.operations.conftest import Outside

KIND = "digitalocean_kubernetes_node_pool"


class FakeStack:
    """A stack with node pools and an empty state."""

    def __init__(self) -> None:
        self.definition: dict[str, Any] = {"resource": {KIND: {"p": {}}}}
        self.name, self.state = "sandbox-cluster", StateBucket(bucket="states", region="lon1")
        self.known: list[dict[str, Any]] = []
        self.reads = 0

    def resources(self) -> list[dict[str, Any]]:
        self.reads += 1
        return self.known

    def apply(self, file: Path) -> None:
        self.known = [{"type": KIND, "values": {"id": file.name}}]


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
    assert outside.digitalocean.writes == [], "no state knows any"
    stack.known = [{"type": "digitalocean_kubernetes_node_pool", "values": old}]
    remove_lost_pools(stack, api, "elsewhere")
    remove_lost_pools(stack, api, "c")
    assert [item["id"] for item in cluster["node_pools"][1:]] == ["old", "first", "mine", "none"]
    cluster["node_pools"] = [lost]  # the old one is gone, and the plan takes the new one over
    remove_lost_pools(stack, api, "c")
    assert cluster["node_pools"] == [lost]
    printed = "node pool system-s-8vcpu-16gb: removing one that a killed run left\n"
    assert capsys.readouterr().out == printed


def test_a_record_that_was_made_twice_is_there_once(outside: Outside, capsys: pytest.CaptureFixture[str]) -> None:
    zones, zone = outside.digitalocean.zones, "episodic.example"
    zones.records[zone] = {}
    ours = zones.add(zone, "A", "ingress.sandbox", "203.0.113.1")
    zones.add(zone, "A", "ingress.sandbox", "203.0.113.1")
    others = (("A", "ingress.sandbox", "203.0.113.2"), ("A", "mine", "203.0.113.1"), ("TXT", "ingress.sandbox", "x"))
    kept = [ours, *(zones.add(zone, *other) for other in others)]
    stack: Any = FakeStack()
    stack.definition = {"resource": {"digitalocean_record": {"r": {}}}}
    api = DigitalOcean(outside.digitalocean.token)
    remove_doubled_records(stack, api)
    assert outside.digitalocean.writes == [], "no state knows any"
    values = {"id": str(ours), "domain": zone, "type": "A", "name": "ingress.sandbox", "value": "203.0.113.1"}
    stack.known = [{"type": "digitalocean_record", "values": values}]
    remove_doubled_records(stack, api)
    assert [*zones.records[zone]] == kept
    assert "record ingress.sandbox of episodic.example: removing one that is there twice" in capsys.readouterr().out
    stack.definition = {"resource": {}}
    zones.add(zone, "A", "ingress.sandbox", "203.0.113.1")
    remove_doubled_records(stack, api)
    assert len(zones.records[zone]) == len(kept) + 1, "it is no stack of records"


@pytest.mark.parametrize("labels", [None, {}])
def test_a_pool_whose_labels_somebody_removed_is_in_nobodys_way(outside: Outside, labels: Any) -> None:
    cluster = outside.digitalocean.add_cluster("c")
    bare = {**pool("old", "system", "s-4vcpu-8gb"), "labels": labels}
    cluster["node_pools"] += [bare, {**pool("mine", "x", "y"), "labels": labels}]
    stack: Any = FakeStack()
    stack.known = [{"type": "digitalocean_kubernetes_node_pool", "values": bare}]
    remove_lost_pools(stack, DigitalOcean(outside.digitalocean.token), "c")
    assert outside.digitalocean.writes == []


@pytest.mark.parametrize("status", ["draining", "deleting"])
def test_a_pool_stays_whose_forerunner_is_going_already(outside: Outside, status: str) -> None:
    cluster = outside.digitalocean.add_cluster("c")
    old = {**pool("old", "system", "s-4vcpu-8gb"), "nodes": [{"status": {"state": status}}]}
    cluster["node_pools"] += [old, pool("new", "system", "s-8vcpu-16gb")]
    stack: Any = FakeStack()
    stack.known = [{"type": "digitalocean_kubernetes_node_pool", "values": old}]
    with pytest.raises(ConfigError) as told:
        remove_lost_pools(stack, DigitalOcean(outside.digitalocean.token), "c")
    assert str(told.value) == (
        "node pool system-s-8vcpu-16gb: replaced one that is still going; plan again once it is gone"
    )
    assert outside.digitalocean.writes == []


def test_no_state_is_read_where_no_pool_has_a_second_beside_it(outside: Outside) -> None:
    cluster = outside.digitalocean.add_cluster("c")
    cluster["node_pools"] += [pool("old", "system", "s-4vcpu-8gb"), pool("first", "workload", "s-4vcpu-8gb")]
    stack: Any = FakeStack()
    remove_lost_pools(stack, DigitalOcean(outside.digitalocean.token), "c")
    assert stack.reads == 0
    stack.definition = {"resource": {}}
    outside.digitalocean.requests.clear()
    remove_lost_pools(stack, DigitalOcean(outside.digitalocean.token), "c")
    assert outside.digitalocean.requests == [], "a stack without pools asks for none"


def test_what_a_plan_takes_over_is_not_lost_and_tells_what_is(outside: Outside) -> None:
    cluster = outside.digitalocean.add_cluster("c")
    old, new = pool("old", "system", "s-4vcpu-8gb"), pool("new", "system", "s-8vcpu-16gb")
    cluster["node_pools"] += [old, new]
    stack: Any = FakeStack()
    api = DigitalOcean(outside.digitalocean.token)
    kept = Change(f"{KIND}.p", KIND, ("no-op",), {"id": "old"}, imported=True, before={})
    assert [lost.name for lost in lost_pools(stack, api, "c", [kept])] == [new["name"]]
    assert list(lost_pools(stack, api, "c", [kept._replace(imported=False)])) == []
    spaces = Spaces(ACCESS_KEY, SECRET_KEY)
    spaces.create(stack.state)
    with StateLock(spaces, stack.state, stack.name).held("apply"):  # another run, whose state tells of nothing yet
        with pytest.raises(BusyError, match=r"sandbox-cluster: its state is locked by .* \(apply\)"):
            apply_and_tidy(stack, Path("old"), api, spaces, "c")
        assert [item["id"] for item in cluster["node_pools"][1:]] == ["old", "new"]
    apply_and_tidy(stack, Path("old"), api, spaces, "c")  # only then the state knows the old one
    assert [item["id"] for item in cluster["node_pools"][1:]] == ["old"]

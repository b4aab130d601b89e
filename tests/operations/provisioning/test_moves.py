"""What a plan does to nodes, in words."""

from __future__ import annotations

from typing import Any

from operations.clients.tofu import Change
from operations.provisioning.moves import moves

KIND = "digitalocean_kubernetes_node_pool"
SMALL = {"size": "s-4vcpu-8gb", "min_nodes": 2, "max_nodes": 4, "labels": {"pool": "system"}, "actual_node_count": 3}
LARGE = {**SMALL, "size": "s-8vcpu-16gb", "node_count": 3}
DRAIN = "pods move as their PodDisruptionBudgets allow"


def told(*actions: str, kind: str = KIND, imported: bool = False, **values: Any) -> list[str]:
    before, after = values.get("before", {}), values.get("after", {})
    return list(moves([Change(f"{kind}.x", kind, actions, after, imported, before)]))


def test_a_pool_that_moves_is_told_with_its_sizes_and_both_counts() -> None:
    (sentence,) = told("create", "delete", before=SMALL, after=LARGE)
    assert sentence == (
        "pool <code>system</code> moves from <code>s-4vcpu-8gb</code> to <code>s-8vcpu-16gb</code>: "
        f"3 new nodes come before the 3 old ones go; {DRAIN}"
    )
    (unknown,) = told("create", "delete", before=SMALL, after={**LARGE, "node_count": None})
    assert ": 2 new nodes come" in unknown


def test_pools_that_come_go_and_change_are_told() -> None:
    nodes = "2 to 4 nodes of <code>s-4vcpu-8gb</code>"
    assert told("create", after=SMALL) == [f"pool <code>system</code> comes: {nodes}"]
    assert told("delete", before=SMALL) == [f"pool <code>system</code> goes: {nodes}; {DRAIN}"]
    changed = told("update", before=SMALL, after={**SMALL, "min_nodes": 0})
    assert changed == ["pool <code>system</code> may have 0 to 4 nodes, not 2 to 4"]
    assert told("update", before=SMALL, after={**SMALL, "labels": {"pool": "system", "a": "b"}}) == []
    assert told("create", after=SMALL, imported=True) == []


def test_a_pool_whose_labels_somebody_removed_is_told_by_its_name() -> None:
    for labels in (None, {}):
        (sentence,) = told("delete", before={**SMALL, "labels": labels, "name": "system-s-4vcpu-8gb"})
        assert sentence.startswith("pool <code>system-s-4vcpu-8gb</code> goes: ")


def test_an_upgrade_is_told_and_any_other_change_of_the_cluster_is_not() -> None:
    kind = "digitalocean_kubernetes_cluster"
    (upgrade,) = told("update", kind=kind, before={"version": "1.36.2-do.0"}, after={"version": "1.37.1-do.0"})
    assert upgrade.startswith("Kubernetes moves from <code>1.36.2-do.0</code> to <code>1.37.1-do.0</code>, new nodes")
    assert "no API version that goes" in upgrade
    assert told("update", kind=kind, before={"version": "1"}, after={"version": "1"}) == []
    assert told("create", kind=kind, after={"version": "1"}) == []

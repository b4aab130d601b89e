"""What a pull request is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gitops_render.check.model import Finding
from operations.review.report import MARKER, stack_changes, to_report


def stacks(folder: Path, **resources: dict[str, Any]) -> Path:
    """Write one stack, and return the folder that holds it; `vpc__main={...}` is the resource digitalocean_vpc.main."""
    made: dict[str, dict[str, Any]] = {}
    for key, values in resources.items():
        kind, _, name = key.partition("__")
        made.setdefault(f"digitalocean_{kind}", {})[name] = values
    path = folder / "stacks/sandbox-cluster/cdk.tf.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"resource": made}))
    return folder


def test_each_kind_of_change_is_told_by_its_address(tmp_path: Path) -> None:
    pool = {"size": "s", "tags": ["a"]}
    old = stacks(tmp_path / "old", vpc__main={"region": "lon1", "name": "a"}, tag__gone={"name": "x"}, project__p=pool)
    new = stacks(tmp_path / "new", vpc__main={"region": "ams3", "name": "a"}, tag__new={"name": "y"}, project__p=pool)
    assert [(change.address, change.action) for change in stack_changes(old, new)] == [
        ("digitalocean_tag.gone", "destroyed"),
        ("digitalocean_tag.new", "added"),
        ("digitalocean_vpc.main", "replaced"),
    ]


def test_a_field_that_can_change_in_place_replaces_nothing(tmp_path: Path) -> None:
    old = stacks(tmp_path / "old", kubernetes_cluster__c={"node_pool": {"size": "s", "max_nodes": 3}})
    changed = stacks(tmp_path / "changed", kubernetes_cluster__c={"node_pool": {"size": "s", "max_nodes": 4}})
    replaced = stacks(tmp_path / "replaced", kubernetes_cluster__c={"node_pool": {"size": "m", "max_nodes": 3}})
    assert [change.action for change in stack_changes(old, changed)] == ["changed"]
    assert [change.action for change in stack_changes(old, replaced)] == ["replaced"]


def test_what_holds_the_id_of_something_replaced_is_replaced_too(tmp_path: Path) -> None:
    cluster = {"name": "c", "vpc_uuid": "${digitalocean_vpc.v.id}"}
    pool = {"size": "s", "cluster_id": "${digitalocean_kubernetes_cluster.c.id}"}
    project = {"description": "${digitalocean_vpc.v.id}"}
    rest = {"kubernetes_cluster__c": cluster, "kubernetes_node_pool__p": pool, "project__p": project}
    old = stacks(tmp_path / "old", vpc__v={"ip_range": "10.1.0.0/20"}, **rest)
    new = stacks(tmp_path / "new", vpc__v={"ip_range": "10.2.0.0/20"}, **rest)
    assert [(change.address.partition("_")[2], change.action) for change in stack_changes(old, new)] == [
        ("kubernetes_cluster.c", "replaced"),
        ("kubernetes_node_pool.p", "replaced"),
        ("vpc.v", "replaced"),
    ]


def test_what_only_cdktf_writes_for_itself_is_no_change(tmp_path: Path) -> None:
    old = stacks(tmp_path / "old", tag__t={"name": "x", "//": {"metadata": {"path": "a"}}})
    new = stacks(tmp_path / "new", tag__t={"name": "x", "//": {"metadata": {"path": "b"}}})
    assert stack_changes(old, new) == []


def test_nothing_is_said_of_nothing() -> None:
    report = to_report([], [], [])
    assert report.startswith(MARKER)
    for sentence in ("No stack changes.", "No rendered object changes.", "Every policy is kept."):
        assert sentence in report


def test_findings_cannot_break_their_table() -> None:
    finding = Finding("FLUX001", "a|b.yaml", "<b>", "holds `x` | y", "do")
    assert "| FLUX001 | a&#124;b.yaml | &lt;b&gt; | holds `x` &#124; y | do |" in to_report([], [], [finding])

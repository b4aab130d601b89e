"""How synthesised stacks differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from constructs_lib.base.errors import ConfigError
from operations.review.stack_changes import stack_changes, stacks_markdown


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


def test_what_holds_the_id_of_something_that_changes_in_place_stays_as_it_is(tmp_path: Path) -> None:
    rest = {"kubernetes_cluster__c": {"name": "c", "vpc_uuid": "${digitalocean_vpc.v.id}"}}
    old = stacks(tmp_path / "old", vpc__v={"description": "a"}, **rest)
    new = stacks(tmp_path / "new", vpc__v={"description": "b"}, **rest)
    assert [(change.address, change.action) for change in stack_changes(old, new)] == [
        ("digitalocean_vpc.v", "changed")
    ]


def test_what_only_cdktf_writes_for_itself_is_no_change(tmp_path: Path) -> None:
    old = stacks(tmp_path / "old", tag__t={"name": "x", "//": {"metadata": {"path": "a"}}})
    new = stacks(tmp_path / "new", tag__t={"name": "x", "//": {"metadata": {"path": "b"}}})
    assert stack_changes(old, new) == []


def test_each_change_of_a_stack_is_a_line_with_its_fields(tmp_path: Path) -> None:
    old = stacks(tmp_path / "old", vpc__v={"region": "lon1"}, tag__gone={"name": "x"}, project__p={"name": "a"})
    new = stacks(tmp_path / "new", vpc__v={"region": "ams3"}, tag__new={"name": "y"}, project__p={"name": "b|<c>"})
    text = "\n".join(stacks_markdown(stack_changes(old, new)))
    assert (
        "| stack | added | changed | replaced | destroyed | removed |\n| --- | ---: | ---: | ---: | ---: | ---: |"
        in text
    )
    assert "| sandbox-cluster | 1 | 1 | 1 | 1 | 0 |" in text
    assert "<summary><b>sandbox-cluster</b>: 4 blocks</summary>" in text
    assert "- changed <code>digitalocean_project.p</code>\n  - <code>name</code>: <code>a</code> → " in text
    assert "<code>b&#124;&lt;c&gt;</code>" in text
    assert "- <b>destroyed</b> <code>digitalocean_tag.gone</code>\n" in text
    assert "- added <code>digitalocean_tag.new</code>\n" in text
    assert "- <b>replaced</b> <code>digitalocean_vpc.v</code>\n" in text


def test_a_chain_of_replaced_things_is_followed_to_its_end(tmp_path: Path) -> None:
    cluster = {"name": "c", "vpc_uuid": "${digitalocean_vpc.v.id}"}
    pool = {"size": "s", "cluster_id": "${digitalocean_kubernetes_cluster.c.id}"}
    rest = {"kubernetes_cluster__c": cluster, "kubernetes_node_pool__p": pool}
    old = stacks(tmp_path / "old", vpc__v={"region": "lon1"}, **rest)
    new = stacks(tmp_path / "new", vpc__v={"region": "ams3"}, **rest)
    later = {change.address: [field.new for field in change.fields] for change in stack_changes(old, new)}
    assert later == {
        "digitalocean_kubernetes_cluster.c": ["(known after apply)"],
        "digitalocean_kubernetes_node_pool.p": ["(known after apply)"],
        "digitalocean_vpc.v": ["ams3"],
    }


def test_a_field_below_one_that_replaces_does_too_and_a_like_name_does_not(tmp_path: Path) -> None:
    def change(**fields: Any) -> list[str]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        before = {key: f"old {value}" for key, value in fields.items()}
        old, new = stacks(folder / "old", vpc__v=before), stacks(folder / "new", vpc__v=fields)
        return [item.action for item in stack_changes(old, new)]

    assert change(ip_range="x") == ["replaced"]
    assert change(ip_range_note="x") == ["changed"]


def test_stacks_that_were_not_synthesised_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no stack; synthesise them first"):
        stack_changes(tmp_path, tmp_path)


def documents(folder: Path, **document: Any) -> Path:
    """Write one stack with these blocks, and return the folder that holds it."""
    path = folder / "stacks/sandbox-dns/cdk.tf.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"//": {"metadata": str(folder)}, **document}))
    return folder


@pytest.mark.parametrize(
    ("kind", "block", "address"),
    [
        ("terraform", {"backend": {"s3": {"use_lockfile": True}}}, "terraform.backend"),
        ("provider", {"helm": [{"kubernetes": {"host": "a"}}]}, "provider.helm"),
        ("variable", {"token": {"ephemeral": True}}, "variable.token"),
        ("output", {"host": {"value": "a"}}, "output.host"),
        (
            "data",
            {"digitalocean_kubernetes_versions": {"v": {"version_prefix": "1.36."}}},
            "data.digitalocean_kubernetes_versions.v",
        ),
        ("moved", [{"from": "a.b", "to": "a.c"}], "moved"),
        ("removed", [{"from": "a.b"}], "removed"),
        ("import", [{"to": "a.b", "id": "1"}], "import"),
    ],
)
def test_every_block_of_a_document_is_compared(tmp_path: Path, kind: str, block: Any, address: str) -> None:
    none, some = documents(tmp_path / "none"), documents(tmp_path / "some", **{kind: block})
    other = documents(tmp_path / "other", **{kind: _other(block)})

    def told(old: Path, new: Path) -> list[tuple[str, str]]:
        return [(change.address, change.action) for change in stack_changes(old, new)]

    assert told(none, some) == [(address, "added")]
    assert told(some, none) == [(address, "removed")]
    assert told(some, other) == [(address, "changed")]
    assert told(some, some) == []


def _other(block: Any) -> Any:
    """Return the same structure with every value another."""
    if isinstance(block, dict):
        return {key: _other(value) for key, value in block.items()}
    return [_other(item) for item in block] if isinstance(block, list) else f"another {block}"


def test_what_is_looked_up_otherwise_changes_or_replaces_who_uses_it(tmp_path: Path) -> None:
    uses = "${data.digitalocean_kubernetes_versions.v.latest_version}"
    made = {
        "digitalocean_kubernetes_cluster": {"c": {"version": uses}},
        "digitalocean_vpc": {"v": {"region": uses}},
        "digitalocean_tag": {"t": {"name": "x"}},
    }

    def side(name: str, prefix: str) -> Path:
        data = {"digitalocean_kubernetes_versions": {"v": {"version_prefix": prefix}}}
        return documents(tmp_path / name, data=data, resource=made)

    changes = stack_changes(side("old", "1.36."), side("new", "1.34."))
    assert [
        (change.address, change.action, [(item.path, item.old, item.new) for item in change.fields])
        for change in changes
    ] == [
        ("data.digitalocean_kubernetes_versions.v", "changed", [("version_prefix", "1.36.", "1.34.")]),
        ("digitalocean_kubernetes_cluster.c", "changed", [("version", uses, "(known after apply)")]),
        ("digitalocean_vpc.v", "replaced", [("region", uses, "(known after apply)")]),
    ]


def test_what_another_stack_looks_up_under_the_same_name_is_its_own(tmp_path: Path) -> None:
    record = {"digitalocean_record": {"r": {"name": "x", "value": "${data.digitalocean_domain.d.name}"}}}
    for side in ("old", "new"):
        for stack, name in (("sandbox-dns", side), ("staging-dns", "same")):
            path = tmp_path / side / "stacks" / stack / "cdk.tf.json"
            path.parent.mkdir(parents=True)
            data = {"digitalocean_domain": {"d": {"name": name}}}
            path.write_text(json.dumps({"data": data, "resource": record}))
    assert {change.stack for change in stack_changes(tmp_path / "old", tmp_path / "new")} == {"sandbox-dns"}


def test_nothing_is_said_of_nothing() -> None:
    assert list(stacks_markdown([])) == ["No stack changes."]

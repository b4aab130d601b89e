"""How the synthesised stacks of a change differ from those of its base: every block of every document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import definitions
from gitops_render.diff_output import field_markdown
from gitops_render.fields import Field, fields
from gitops_render.markdown import bold, code, details, table

REPLACING: dict[str, frozenset[str]] = {
    "digitalocean_kubernetes_cluster": frozenset(
        {"region", "vpc_uuid", "cluster_subnet", "service_subnet", "node_pool.size"}
    ),
    "digitalocean_kubernetes_node_pool": frozenset({"cluster_id", "size"}),
    "digitalocean_project_resources": frozenset({"project"}),
    "digitalocean_record": frozenset({"domain", "type"}),
    "digitalocean_spaces_bucket": frozenset({"region"}),
    "digitalocean_tag": frozenset({"name"}),
    "digitalocean_vpc": frozenset({"ip_range", "region"}),
    "github_actions_environment_variable": frozenset({"environment", "variable_name"}),
    "github_actions_secret": frozenset({"encrypted_value", "repository", "secret_name"}),
    "github_repository_deploy_key": frozenset({"key", "read_only", "repository", "title"}),
    "github_repository_environment": frozenset({"environment", "repository"}),
    "github_repository_environment_deployment_policy": frozenset({"environment", "repository"}),
    "helm_release": frozenset({"name", "namespace"}),
    "kubernetes_config_map_v1": frozenset({"metadata.name", "metadata.namespace"}),
    "kubernetes_namespace_v1": frozenset({"metadata.name"}),
    "kubernetes_secret_v1": frozenset({"metadata.name", "metadata.namespace", "type"}),
}
"""Fields whose change makes OpenTofu replace the resource: `ForceNew` in the sources of the pinned providers."""

KNOWN_LATER = "(known after apply)"

StackAddress = tuple[str, str]
"""A stack and an address in it: of a resource, or of another block, such as `data.x.y` or `terraform.backend`."""

Blocks = Mapping[StackAddress, Any]

ACTIONS = ("added", "changed", "replaced", "destroyed", "removed")
"""What happens to a resource; what is no resource can only be `added`, `changed` or `removed`."""

LOSING = ("replaced", "destroyed")
"""The actions after which what was there is gone."""

NESTED = ("resource", "data", "ephemeral")
"""Blocks that a document holds by type and name."""
BLOCKS = frozenset(
    {
        "check",
        "data",
        "ephemeral",
        "import",
        "locals",
        "moved",
        "output",
        "provider",
        "removed",
        "terraform",
        "variable",
    }
)
"""How addresses begin that are no resource's (opentofu.org, JSON Configuration Syntax)."""


class StackChange(NamedTuple):
    """How one block of a stack differs between two syntheses."""

    stack: str
    address: str
    action: str
    fields: tuple[Field, ...] = ()


def stack_changes(old: Path, new: Path) -> list[StackChange]:
    """Return how the stacks below `new/stacks` differ from those below `old/stacks`, by stack and address.

    A resource changes too with what it looks up, and is replaced if a replacing field holds the id of one that is.
    """
    before, after = _blocks(old), _blocks(new)
    keys = sorted({*before, *after})
    changes = {key: change for key in keys if (change := _change(*key, before.get(key), after.get(key)))}
    changes |= _looked_up(changes, before, after)
    while more := dict(_carried_along(changes, before, after)):
        changes |= more
    return [changes[key] for key in keys if key in changes]


def _change(stack: str, address: str, old: Any, new: Any) -> StackChange | None:
    if old == new:
        return None
    if old is None or new is None:
        gone = "destroyed" if _is_resource(address) else "removed"
        return StackChange(stack, address, "added" if old is None else gone)
    differing = tuple(fields(old, new))
    replaced = any(_is_replacing(address, field.path) for field in differing)
    return StackChange(stack, address, "replaced" if replaced else "changed", differing)


def _looked_up(
    changes: Mapping[StackAddress, StackChange], before: Blocks, after: Blocks
) -> Iterator[tuple[StackAddress, StackChange]]:
    """Yield the resources that a changed data source gives other values."""
    changed = [(stack, f"${{{address}.") for stack, address in changes if address.startswith("data.")]
    for key in filter(lambda key: _is_resource(key[1]), before.keys() & after.keys()):
        texts = [text for stack, text in changed if stack == key[0]]
        later = [field for field in fields({}, after[key]) if any(text in str(field.new) for text in texts)]
        if later:
            yield key, _with(changes.get(key), key, later)


def _carried_along(
    changes: Mapping[StackAddress, StackChange], before: Blocks, after: Blocks
) -> Iterator[tuple[StackAddress, StackChange]]:
    """Yield what is replaced since a field that replaces it holds the id of something replaced."""
    replaced = {(key[0], f"${{{key[1]}.id}}") for key, change in changes.items() if change.action == "replaced"}
    for key in before.keys() & after.keys():
        change = changes.get(key, StackChange(*key, "changed"))
        values = fields({}, after[key]) if change.action == "changed" else ()
        later = [item for item in values if _is_replacing(key[1], item.path) and (key[0], item.new) in replaced]
        if later:
            yield key, _with(change, key, later)


def _with(change: StackChange | None, key: StackAddress, later: Sequence[Field]) -> StackChange:
    """Return a change with further fields, whose text stays and whose value is another."""
    known = (*(change.fields if change else ()), *(Field(field.path, field.new, KNOWN_LATER) for field in later))
    replaced = any(_is_replacing(key[1], field.path) for field in known)
    return StackChange(*key, "replaced" if replaced else "changed", known)


def _is_replacing(address: str, path: str) -> bool:
    names = REPLACING.get(address.partition(".")[0], frozenset())
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _is_resource(address: str) -> bool:
    return address.partition(".")[0] not in BLOCKS


def _blocks(folder: Path) -> dict[StackAddress, Any]:
    paths = definitions(folder)
    if not paths:
        raise ConfigError(f"{folder}: holds no stack; synthesise them first")
    return {
        (path.parent.name, address): block
        for path in paths
        for address, block in _blocks_of(json.loads(path.read_bytes()))
    }


def _blocks_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every block of a stack by its address; what only cdktf writes for itself is none."""
    for kind, held in document.items():
        if kind in NESTED:
            prefix = "" if kind == "resource" else f"{kind}."
            for type_, named in held.items():
                yield from ((f"{prefix}{type_}.{name}", _own(block)) for name, block in named.items())
        elif isinstance(held, dict) and kind != "//":
            yield from ((f"{kind}.{name}", block) for name, block in held.items())
        elif kind != "//":
            yield kind, held


def _own(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "//"}


def stacks_markdown(changes: Sequence[StackChange]) -> Iterator[str]:
    """Yield a table of what changes in each stack, then every block with its fields, folded."""
    if not changes:
        yield "No stack changes."
        return
    stacks = {name: list(items) for name, items in groupby(changes, key=lambda change: change.stack)}
    counts = [
        (name, *(sum(item.action == action for item in items) for action in ACTIONS)) for name, items in stacks.items()
    ]
    yield from table(("stack", *ACTIONS), counts)
    for name, items in stacks.items():
        yield from details(f"{bold(name)}: {len(items)} blocks", _lines(items))


def _lines(changes: Sequence[StackChange]) -> Iterator[str]:
    for change in changes:
        action = bold(change.action) if change.action in LOSING else change.action
        yield f"- {action} {code(change.address)}"
        yield from (f"  - {field_markdown(field)}" for field in change.fields)

"""What a plan does to the nodes and the version of a cluster, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitops_render.markdown import code
from operations.clients.digitalocean import pool_key
from operations.clients.tofu import Change, Json
from operations.provisioning.adoption import NODE_POOL

CLUSTER = "digitalocean_kubernetes_cluster"
DRAINED = "pods move as their PodDisruptionBudgets allow"
"""DigitalOcean drains a pool's nodes before it deletes them (digitalocean/openapi `kubernetes_delete_nodePool`)."""

CHECKED = "the rendered tree has no API version that goes and no budget that lets no pod go"
"""What `running` has checked before a plan can hold an upgrade."""


def moves(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a sentence for each pool that comes, goes or moves, and for a cluster that is upgraded."""
    for change in changes:
        if change.kind == NODE_POOL and not change.imported:
            yield from _pool(change)
        elif change.kind == CLUSTER and change.actions == ("update",):
            yield from _upgrade(change.before.get("version"), change.after.get("version"))


def _pool(change: Change) -> Iterator[str]:
    match change.actions:
        case ("create",):
            yield f"pool {_name(change.after)} comes: {_nodes(change.after)}"
        case ("delete",):
            yield f"pool {_name(change.before)} goes: {_nodes(change.before)}; {DRAINED}"
        case ("create", "delete"):
            yield _move(change.before, change.after)
        case ("update",) if _bounds(change.before) != _bounds(change.after):
            yield f"pool {_name(change.after)} may have {_bounds(change.after)} nodes, not {_bounds(change.before)}"
        case _:
            pass


def _move(before: Json, after: Json) -> str:
    start = after.get("node_count") or after["min_nodes"]
    return (
        f"pool {_name(after)} moves from {code(before['size'])} to {code(after['size'])}: {start} new nodes come "
        f"before the {before.get('actual_node_count', 0)} old ones go; {DRAINED}"
    )


def _upgrade(old: str | None, new: str | None) -> Iterator[str]:
    if old != new:
        yield f"Kubernetes moves from {code(str(old))} to {code(str(new))}, new nodes first; {DRAINED}; {CHECKED}"


def _name(pool: Json) -> str:
    return code(pool_key(pool) or pool["name"])


def _nodes(pool: Json) -> str:
    return f"{_bounds(pool)} nodes of {code(pool['size'])}"


def _bounds(pool: Json) -> str:
    return f"{pool['min_nodes']} to {pool['max_nodes']}"

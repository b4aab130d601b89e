"""What killed runs left and no state knows: the next apply removes it, and its plan says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.pools import pool_name
from operations.clients.digitalocean import DigitalOcean, pool_key
from operations.clients.spaces import Spaces
from operations.clients.state_lock import StateLock
from operations.clients.tofu import Change, Json, Stack
from operations.provisioning.adoption import NODE_POOL, RECORD


class LostPool(NamedTuple):
    """A node pool that was made to replace another, and whether that one is going already."""

    name: str
    path: str
    serves: bool


def apply_and_tidy(stack: Stack, file: Path, api: DigitalOcean, spaces: Spaces, cluster: str) -> None:
    """Apply a plan: remove what is in its way before, and what only the new state tells to be lost after it.

    The state's lock is held while it is removed: without it, the state may not know yet what another run has just made.
    Raises `BusyError` if somebody else holds the lock.
    """
    _tidy(stack, api, spaces, cluster)
    stack.apply(file)
    _tidy(stack, api, spaces, cluster)


def _tidy(stack: Stack, api: DigitalOcean, spaces: Spaces, cluster: str) -> None:
    kinds = stack.definition["resource"].keys() & {NODE_POOL, RECORD}
    if stack.state is not None and kinds:
        with StateLock(spaces, stack.state, stack.name).held("removing what a killed run left"):
            remove_lost_pools(stack, api, cluster)
            remove_doubled_records(stack, api)


def remove_doubled_records(stack: Stack, api: DigitalOcean) -> None:
    """Remove records that are one of the state's once more.

    The provider repeats a POST whose answer was lost, and DigitalOcean takes a record of the same name and address: it
    would outlive the environment, and lead to whoever gets the address then.
    """
    if RECORD not in stack.definition["resource"]:
        return
    held = [item["values"] for item in stack.resources() if item["type"] == RECORD]
    known = {str(item["id"]) for item in held}
    ours = {(item["domain"], item["type"], item["name"], item["value"]) for item in held}
    for zone in sorted({item["domain"] for item in held}):
        records = f"/v2/domains/{zone}/records"
        for item in [*api.list(records, "domain_records")]:
            if (zone, item["type"], item["name"], item["data"]) in ours and str(item["id"]) not in known:
                say(f"record {item['name']} of {zone}: removing one that is there twice")
                api.delete(f"{records}/{item['id']}")


def remove_lost_pools(stack: Stack, api: DigitalOcean, cluster: str) -> None:
    """Remove node pools that a killed run made to replace others: their names are taken, and no state knows them.

    Raises `ConfigError` where the pool that the state has is going already: then the new one serves, and is to stay.
    """
    for pool in lost_pools(stack, api, cluster):
        if pool.serves:
            raise ConfigError(f"node pool {pool.name}: replaced one that is still going; plan again once it is gone")
        say(f"node pool {pool.name}: removing one that a killed run left")
        api.delete_and_wait(pool.path)


def lost_pools(
    stack: Stack, api: DigitalOcean, cluster_name: str, changes: Sequence[Change] = ()
) -> Sequence[LostPool]:
    """Return the pools that a killed run made to replace others; what `changes` take over is not lost.

    They are told by our label of a pool that is there and in the state, and by the name that such a pool gets.
    """
    if NODE_POOL not in stack.definition["resource"]:
        return ()
    cluster = api.cluster(cluster_name)
    pools = [pool for pool in cluster["node_pools"] if pool_key(pool)] if cluster else []
    if max(Counter(map(pool_key, pools)).values(), default=0) < 2:
        return ()  # no pool has a second one beside it, so no state has to be read
    known = {item["values"]["id"] for item in stack.resources() if item["type"] == NODE_POOL}
    known |= {change.after.get("id") for change in changes if change.imported}
    base = f"/v2/kubernetes/clusters/{cluster['id']}/node_pools" if cluster else ""
    return [LostPool(pool["name"], f"{base}/{pool['id']}", going) for pool, going in _lost(pools, known)]


def _lost(pools: Iterable[Json], known: set[str | None]) -> Iterator[tuple[Json, bool]]:
    """Yield each pool that is lost, and whether the one that it was to replace is going."""
    pools = list(pools)
    served = {pool_key(pool): pool for pool in pools if pool["id"] in known}
    for pool in pools:
        name = pool_key(pool)
        if name in served and pool["id"] not in known and pool["name"] == pool_name(name, pool["size"]):
            yield pool, _is_going(served[name])


def _is_going(pool: Json) -> bool:
    """Say whether a pool is being deleted (digitalocean/openapi, `node.status.state`)."""
    return any(node["status"]["state"] in {"draining", "deleting"} for node in pool["nodes"])

"""Taking over what is there already.

A run that was killed can leave things that no state knows. What a plan would create is therefore looked up by its
name first; what is found is imported, and the plan that people read says so. Import ids: the documentation of the
providers digitalocean 2.71.0 and github 6.9.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from constructs_lib.base.bucket import Bucket
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.pools import pool_name
from operations.clients.digitalocean import DigitalOcean, pool_key
from operations.clients.github import GitHub
from operations.clients.spaces import Spaces
from operations.clients.state_lock import StateLock
from operations.clients.tofu import Change, Json, Stack
from operations.console import say

Lookup = Callable[[Json], str | None]
"""Returns the import id of what a resource would make, if that is there."""

NODE_POOL = "digitalocean_kubernetes_node_pool"

ROUNDS = 3
"""Some names are only known once another resource was found: a node pool needs its cluster."""


def plan_with_adoption(stack: Stack, file: Path, lookups: Mapping[str, Lookup], *, lock: bool = True) -> list[Change]:
    """Plan a stack, taking over what is there, and return the plan's changes."""
    adopted: dict[str, str] = {}
    changes = stack.plan(file, lock=lock)
    for _ in range(ROUNDS):
        ids = dict(_existing(changes, lookups))
        if not ids.keys() - adopted.keys():
            break
        if lock:
            _forget(stack, ids)
        adopted |= ids
        with stack.imports(adopted):
            changes = stack.plan(file, lock=lock)
    return changes


def _forget(stack: Stack, addresses: Iterable[str]) -> None:
    """Remove from the state what is gone: OpenTofu imports nothing into an address that the state still has."""
    for address in {item["address"] for item in stack.resources()}.intersection(addresses):
        stack.forget(address)


def _existing(changes: list[Change], lookups: Mapping[str, Lookup]) -> Iterator[tuple[str, str]]:
    """Yield the address and the import id of what a plan would create although it is there.

    Not where the plan ends what had the address: a killed run left that deposed, and to forget it would let it run on.
    """
    deposed = {change.address for change in changes if change.actions == ("delete",)}
    for change in changes:
        lookup = lookups.get(change.kind)
        if change.actions == ("create",) and change.address not in deposed and lookup is not None:
            id_ = lookup(change.after)
            if id_ is not None:
                yield change.address, id_


def remove_lost(stack: Stack, api: DigitalOcean, spaces: Spaces, cluster_name: str = "") -> None:
    """Remove what no state knows: a killed run left it, or a provider repeated a POST whose answer was lost.

    The state's lock is held meanwhile: without it, the state may not know yet what another run has just made.
    Raises `BusyError` if somebody else holds the lock.
    """
    with StateLock(spaces, stack.state, stack.name).held("removing what a killed run left"):
        remove_lost_keys(stack, api)
        if cluster_name:
            remove_lost_pools(stack, api, cluster_name)


def remove_lost_keys(stack: Stack, api: DigitalOcean) -> None:
    """Remove Spaces keys that no state knows: nobody has their secret, and nobody can read it again."""
    wanted = stack.definition["resource"].get("digitalocean_spaces_key", {})
    if not wanted:
        return
    names = {key["name"] for key in wanted.values()}
    kept = {item["values"].get("access_key") for item in stack.resources() if item["type"] == "digitalocean_spaces_key"}
    for key in list(api.list("/v2/spaces/keys", "keys")):
        if key["name"] in names and key["access_key"] not in kept:
            say(f"Spaces key {key['name']}: removed one that no state knows")
            api.delete(f"/v2/spaces/keys/{key['access_key']}")


def remove_lost_pools(stack: Stack, api: DigitalOcean, cluster_name: str) -> None:
    """Remove node pools that a killed run made to replace others: their names are taken, and no state knows them.

    They are told by our label of a pool that is there and in the state, and by the name that such a pool gets.
    Raises `ConfigError` where the pool that the state has is going already: then the new one serves, and is to stay.
    """
    if NODE_POOL not in stack.definition["resource"]:
        return
    known = [item["values"] for item in stack.resources() if item["type"] == NODE_POOL]
    cluster = api.cluster(cluster_name) if known else None
    if cluster is None:
        return
    ids = {pool["id"] for pool in known}
    served = {pool_key(pool): pool for pool in cluster["node_pools"] if pool["id"] in ids}
    for pool in cluster["node_pools"]:
        name = pool_key(pool)
        if name in served and pool["id"] not in ids and pool["name"] == pool_name(name, pool["size"]):
            if _is_going(served[name]):
                raise ConfigError(
                    f"node pool {pool['name']}: replaced one that is still going; plan again once it is gone"
                )
            say(f"node pool {pool['name']}: removing one that a killed run left")
            api.delete_and_wait(f"/v2/kubernetes/clusters/{cluster['id']}/node_pools/{pool['id']}")


def _is_going(pool: Json) -> bool:
    """Say whether a pool is being deleted (digitalocean/openapi, `node.status.state`)."""
    return any(node["status"]["state"] in {"draining", "deleting"} for node in pool["nodes"])


def in_digitalocean(api: DigitalOcean, spaces: Spaces) -> dict[str, Lookup]:
    """Return how the resources of the state, cluster and dns stacks are found."""

    def named(path: str, key: str) -> Lookup:
        return lambda after: next((item["id"] for item in api.list(path, key) if item["name"] == after["name"]), None)

    def bucket(after: Json) -> str | None:
        wanted = Bucket(bucket=after["name"], region=after["region"])
        return f"{wanted.region},{wanted.bucket}" if spaces.exists(wanted) else None

    def record(after: Json) -> str | None:
        records = api.list(f"/v2/domains/{after['domain']}/records", "domain_records")
        same = (item["id"] for item in records if (item["type"], item["name"]) == (after["type"], after["name"]))
        return next((f"{after['domain']},{id_}" for id_ in same), None)

    def node_pool(after: Json) -> str | None:
        clusters = api.list("/v2/kubernetes/clusters", "kubernetes_clusters")
        own = (cluster["node_pools"] for cluster in clusters if cluster["id"] == after.get("cluster_id"))
        pools = chain.from_iterable(own)
        return next((pool["id"] for pool in pools if pool["name"] == after["name"]), None)

    return {
        "digitalocean_spaces_bucket": bucket,
        "digitalocean_vpc": named("/v2/vpcs", "vpcs"),
        "digitalocean_project": named("/v2/projects", "projects"),
        "digitalocean_kubernetes_cluster": named("/v2/kubernetes/clusters", "kubernetes_clusters"),
        NODE_POOL: node_pool,
        "digitalocean_record": record,
    }


def in_github(github: GitHub, organisation: str) -> dict[str, Lookup]:
    """Return how the resources of the GitOps repository's stack are found."""

    def named(repository: str, path: str, key: str, wanted: str) -> Json | None:
        items = github.items(f"/repos/{organisation}/{repository}{path}")
        return next((item for item in items if item[key] == wanted), None)

    def numbered(path: str, key: str) -> Lookup:
        def look(after: Json) -> str | None:
            item = named(after["repository"], path, key, after[key])
            return None if item is None else f"{after['repository']}:{item['id']}"

        return look

    def in_environment(path: str, key: str, argument: str, identity: str) -> Lookup:
        def look(after: Json) -> str | None:
            place = (after["repository"], after["environment"])
            item = named(place[0], f"/environments/{place[1]}/{path}", key, after[argument])
            return None if item is None else ":".join((*place, str(item[identity])))

        return look

    return {
        "github_repository": lambda after: after["name"] if github.exists(f"{organisation}/{after['name']}") else None,
        "github_repository_ruleset": numbered("/rulesets", "name"),
        "github_repository_deploy_key": numbered("/keys", "title"),
        "github_repository_environment_deployment_policy": in_environment(
            "deployment-branch-policies", "name", "branch_pattern", "id"
        ),
        "github_actions_environment_variable": in_environment("variables", "name", "variable_name", "name"),
    }

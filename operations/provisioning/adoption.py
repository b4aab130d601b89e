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
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.clients.spaces import Spaces
from operations.clients.tofu import Change, Json, Stack

Lookup = Callable[[Json], str | None]
"""Returns the import id of what a resource would make, if that is there."""

NODE_POOL = "digitalocean_kubernetes_node_pool"
RECORD = "digitalocean_record"

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

    A killed replacement leaves the old one deposed at the address of the new one. To forget it would let it run on, so
    nothing is taken over there but the old one itself, where the file wants it back.
    """
    deposed = {change.address: change.before.get("id") for change in changes if change.actions == ("delete",)}
    for change in changes:
        lookup = lookups.get(change.kind)
        if lookup is None or change.actions not in {("create",), ("create", "delete")}:
            continue
        replaced = change.address in deposed
        if not replaced and change.actions != ("create",):
            continue
        id_ = lookup(change.after)
        if id_ is not None and (not replaced or id_ == deposed[change.address]):
            yield change.address, id_


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
        RECORD: record,
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

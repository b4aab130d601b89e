"""What runs already and a plan has to know: the version of Kubernetes, and how many nodes each pool has.

DigitalOcean installs patches itself, so a plan names the version that runs; only another minor in the environment file
changes it. API: digitalocean/openapi `kubernetes_list_options`, `kubernetes_get_availableUpgrades`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import GENERATION_TAG, KUBERNETES_VERSION, POOL_NODES, given
from constructs_lib.environment import Environment
from gitops_render.check import upgrade_findings
from operations.clients.digitalocean import DigitalOcean, Resource, pool_key

Minor = tuple[int, int]


def cluster_variables(env: Environment, api: DigitalOcean, *, destroy: bool) -> dict[str, str]:
    """Return the variables of the cluster stack.

    Raises `ConfigError` if the version that the file names cannot be reached from the one that runs, or not yet, and
    if the file means another generation of the cluster.
    """
    cluster = api.cluster(env.cluster.name)
    if cluster is not None and not destroy:
        _refuse_other_generation(env, cluster)
    version = _ending(env, cluster) if destroy else _version(env, api, cluster)
    return {given(KUBERNETES_VERSION): version, given(POOL_NODES): json.dumps(_nodes(env, cluster))}


def _refuse_other_generation(env: Environment, cluster: Resource) -> None:
    """Raise `ConfigError` if the file means another cluster than the one that runs: its archives would move."""
    found = [tag.removeprefix(GENERATION_TAG) for tag in cluster["tags"] if tag.startswith(GENERATION_TAG)]
    if found and found != [str(env.cluster.generation)]:
        raise ConfigError(
            f"environments/{env.name}.yaml: cluster.generation: the cluster that runs is of generation {found[0]}, "
            f"found {env.cluster.generation}; set it back: it is raised for a cluster that is made anew"
        )


def minor_of(version: str) -> Minor:
    """Return the minor version of a slug such as `1.36.2-do.0`."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _nodes(env: Environment, cluster: Resource | None) -> dict[str, int]:
    """Return how many nodes each pool of the file has, within its bounds."""
    counts: dict[str, int] = {}
    for pool in cluster["node_pools"] if cluster else ():
        name = pool_key(pool)
        if name in env.cluster.pools:
            bounds = env.cluster.pools[name]
            counts[name] = max(counts.get(name, 0), min(max(pool["count"], bounds.min_nodes), bounds.max_nodes))
    return counts


def _ending(env: Environment, cluster: Resource | None) -> str:
    """Return a version for a plan that ends what is there; none of it is made, so none has to be offered."""
    return cluster["version"] if cluster else env.cluster.kubernetes_minor


def _version(env: Environment, api: DigitalOcean, cluster: Resource | None) -> str:
    wanted = minor_of(env.cluster.kubernetes_minor)
    if cluster is None:
        offered = [item["slug"] for item in api.get("/v2/kubernetes/options")["options"]["versions"]]
        return _newest(env, offered)
    running = minor_of(cluster["version"])
    if wanted == running:
        return cluster["version"]
    if wanted != (running[0], running[1] + 1):
        raise ConfigError(_out_of_reach(env, running, wanted))
    _refuse_upgrade(env)
    found = api.get(f"/v2/kubernetes/clusters/{cluster['id']}/upgrades")["available_upgrade_versions"] or ()
    offered = [item["slug"] for item in found if minor_of(item["slug"]) == wanted]
    if not offered:
        raise ConfigError(_not_yet(env, running, wanted))
    return max(offered, key=_order)


def _refuse_upgrade(env: Environment) -> None:
    """Raise `ConfigError` with everything in the rendered tree that stands in the way of an upgrade."""
    found = [f"{_key(env)}: first, {item.object} {item.message}; {item.fix}" for item in upgrade_findings(env)]
    if found:
        raise ConfigError(*found)


def _newest(env: Environment, offered: Sequence[str]) -> str:
    """Return the newest of the offered versions that is of the file's minor."""
    wanted = minor_of(env.cluster.kubernetes_minor)
    found = [slug for slug in offered if minor_of(slug) == wanted]
    if not found:
        raise ConfigError(_not_offered(env, sorted({minor_of(slug) for slug in offered})))
    return max(found, key=_order)


def _order(slug: str) -> list[int]:
    """Return what puts slugs such as `1.36.2-do.0` in order."""
    return [int(part) for part in slug.replace("-do.", ".").split(".")]


def _not_offered(env: Environment, offered: Sequence[Minor]) -> str:
    wanted = minor_of(env.cluster.kubernetes_minor)
    if not offered:
        return f"{_key(env)}: DigitalOcean offers no version at all; plan again later"
    later = [minor for minor in offered if minor > wanted]
    advice = f"raise it to '{_text(later[0])}'" if later else f"lower it to '{_text(offered[-1])}'"
    return f"{_key(env)}: DigitalOcean offers {', '.join(map(_text, offered))}, found '{_text(wanted)}'; {advice}"


def _not_yet(env: Environment, running: Minor, wanted: Minor) -> str:
    until = f"set it back to '{_text(running)}' until it does"
    return f"{_key(env)}: DigitalOcean offers this cluster no upgrade to {_text(wanted)} yet; {until}"


def _out_of_reach(env: Environment, running: Minor, wanted: Minor) -> str:
    now, following = _text(running), _text((running[0], running[1] + 1))
    if wanted < running:
        return f"{_key(env)}: the cluster runs {now} and cannot go back to {_text(wanted)}; set it to '{now}'"
    return f"{_key(env)}: the cluster runs {now} and goes up by one minor at a time; set it to '{following}' first"


def _key(env: Environment) -> str:
    return f"environments/{env.name}.yaml: cluster.kubernetes_minor"


def _text(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"

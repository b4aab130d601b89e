"""What the next step needs and has not got, looked for without changing anything.

Limits of an account: digitalocean/openapi `account_get` (`droplet_limit`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import installed, passed_on, run
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import KUBERNETES_VERSION, StackKind, given
from constructs_lib.environment import Environment
from constructs_lib.environment.pools import DEFAULT_POOL
from operations.bootstrap.bootstrap import Bootstrap
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import about, cluster_client
from operations.clients.spaces import Spaces
from operations.provisioning.needs import refuse_missing_zone
from operations.provisioning.running import cluster_variables
from operations.secrets.credentials import ACCOUNT, secrets_of
from operations.secrets.expiry import expiring
from operations.secrets.gitops_client import gitops_client

TOFU = (1, 12)
"""The OpenTofu with which the stacks are tried (.github/actions/setup)."""
SECONDS = 20.0
"""How long a program may take to say its version."""


class Look(NamedTuple):
    """What was looked at, what was found, and what has to be done."""

    what: str
    found: str
    todo: tuple[str, ...] = ()


def looks(env: Environment) -> Iterator[Look]:
    """Yield what was found, one thing after another; what lacks its credentials is not looked at."""
    yield _look("OpenTofu", _tofu)
    yield _look("Git", lambda: _version("git", "it makes the commits of promotions; install it"))
    brought = _look("Vault and GitHub", lambda: Bootstrap([env]).check("", "") or "what only you can bring is there")
    yield brought
    if brought.todo:
        yield Look("DigitalOcean", "was not looked at, since Vault or GitHub come first")
        return
    if env.cluster.provider == "existing":
        yield _look("Cluster", lambda: about(cluster_client(DigitalOcean(""), env).api_client))
        yield _look("Dates", lambda: _dates(env))
        return
    token, *key = (secrets_of(env, Purpose.BOOTSTRAP).read(env.vault.kv.provisioning)[name] for name in ACCOUNT)
    api = DigitalOcean(token)
    yield _look("Kubernetes", lambda: cluster_variables(env, api, destroy=False)[given(KUBERNETES_VERSION)])
    yield _look("Droplets", lambda: _room(env, api))
    if StackKind.DNS in env.stacks:
        yield _look("Zone", lambda: refuse_missing_zone(env, api) or f"{env.zone} is there")
    yield _look("Buckets", lambda: _buckets(env, Spaces(*key)))
    yield _look("Dates", lambda: _dates(env))


def _look(what: str, check: Callable[[], str]) -> Look:
    try:
        return Look(what, check())
    except ConfigError as error:
        return Look(what, "", error.problems)


def _version(name: str, advice: str, *arguments: str) -> str:
    program = installed(name, advice)
    done = run([program, *(arguments or ("--version",))], doing=f"{name}: version", deadline=SECONDS, env=passed_on())
    found = re.search(rb"\d+\.\d+(\.\d+)?", done.stdout)
    if done.returncode or found is None:
        raise ConfigError(f"{name}: does not say its version; install it anew")
    return found[0].decode()


def _tofu() -> str:
    version = _version("tofu", "OpenTofu plans and applies the stacks; install it", "version")
    if tuple(map(int, version.split(".")[:2])) < TOFU:
        raise ConfigError(f"tofu: must be {TOFU[0]}.{TOFU[1]} or later, found {version}; upgrade OpenTofu")
    return version


def _room(env: Environment, api: DigitalOcean) -> str:
    """Return how many Droplets the account may still have. Raises `ConfigError` if the pools could not grow."""
    limit = api.get("/v2/account")["account"]["droplet_limit"]
    there, cluster = sum(1 for _ in api.list("/v2/droplets", "droplets")), api.cluster(env.cluster.name)
    own = sum(pool["count"] for pool in cluster["node_pools"]) if cluster else 0
    most = DEFAULT_POOL.nodes + sum(pool.max_nodes for pool in env.doks.pools.values())
    free = limit - there + own
    if most > free:
        raise ConfigError(
            f"environments/{env.name}.yaml: cluster.pools: may grow to {most} nodes, and the account has room for "
            f"{free} of {limit} Droplets; ask DigitalOcean for more, or lower max_nodes"
        )
    return f"room for {free}, the pools may grow to {most}"


def _buckets(env: Environment, spaces: Spaces) -> str:
    """Return which buckets are there. Raises `ConfigError` for a name that somebody else has."""
    there = {bucket.bucket: spaces.exists(bucket) for bucket in env.buckets.values()}
    return ", ".join(f"{name} {'is there' if found else 'is free'}" for name, found in there.items())


def _dates(env: Environment) -> str:
    github = gitops_client(env.gitops, Purpose.DRIFT)
    if not github.exists(env.gitops.full_name):
        return "nothing to look at yet, the GitOps repository is to be made"
    if found := expiring(env, github):
        raise ConfigError(*found)
    return "nothing expires soon"

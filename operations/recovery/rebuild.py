"""`rebuild`: an environment from nothing but its Git repository, Vault and buckets.

Each run looks how far that is and goes on to the first thing for which a person is needed. The order loses nothing:
files say where data comes from before Flux sees an empty cluster, and what is planned is read before it is applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import TIERS, Environment
from gitops_render.tree import render
from gitops_render.write import difference
from operations.bootstrap.bootstrap import Bootstrap
from operations.clients.digitalocean import DigitalOcean
from operations.clients.spaces import Spaces
from operations.provisioning.archives import reaching_backups
from operations.provisioning.plan_report import tell
from operations.provisioning.provision import Provisioner
from operations.provisioning.ready import wait_ready
from operations.provisioning.stage import Stage
from operations.recovery.kinds import every
from operations.recovery.recover import Holds, Step, lost, missing
from operations.review.running import running_tree
from operations.rotation.in_cluster import InCluster, in_cluster
from operations.secrets.credentials import credentials_of, secrets_of

AGAIN = "and run this again"
PAGE = "docs/how-to/rebuild-an-environment.md"


class Patience(NamedTuple):
    """How many seconds the load balancer may take to come, and Flux until all is Ready."""

    balancer: float
    flux: float


def rebuild(
    environments: Sequence[Environment], env: Environment, plans: Path, patience: Patience, *, finish: bool
) -> Step:
    """Return the next step that needs a person; what is to be read before is in `plans` by then.

    Raises `ConfigError` with what is not Ready when Flux' time is up.
    """
    return next(_steps(environments, env, plans, patience, finish=finish))


def _steps(
    environments: Sequence[Environment], env: Environment, plans: Path, patience: Patience, *, finish: bool
) -> Iterator[Step]:
    secrets, holds = secrets_of(env, Purpose.PLAN), bucket_holds(env)
    there, begun = in_cluster(env, secrets), any(one.recover_from for _, one in every(env))
    if there is not None:
        yield from _in_the_way(env)
    elif not begun and any(holds(kind.backup(env, one)) for kind, one in every(env)):
        step = lost(env, there, holds, finish=False)
        yield step._replace(then=(*step.then[:-2], f"merge, run `make synth` with it, {AGAIN}"))
    if env.source is None:
        yield from _not_running(environments, env)
    for stage in Stage:
        yield from _unlike(env, stage, plans, patience)
    there = in_cluster(env, secrets)
    _wait(env, there, patience)
    if begun:
        yield lost(env, there, holds, finish=finish)
    yield Step("", None, (f"{env.name} is up, and nothing is to be recovered",))


def bucket_holds(env: Environment) -> Holds:
    """Return what says whether an environment's bucket of backups has keys that begin so."""
    key = credentials_of(env, Purpose.PLAN)
    spaces = reaching_backups(env, Spaces(key.spaces_access_key_id, key.spaces_secret_access_key))
    there = spaces.exists(env.backups)
    return lambda prefix: there and spaces.holds(env.backups, prefix)


def _in_the_way(env: Environment) -> Iterator[Step]:
    """Yield what is to be done with a cluster that is in another place than the file says."""
    if env.cluster.provider != "digitalocean":
        return
    api = DigitalOcean(credentials_of(env, Purpose.PLAN).digitalocean_token)
    found = api.cluster(env.cluster.name) or {}
    vpcs = {item["id"]: item["ip_range"] for item in api.list("/v2/vpcs", "vpcs")}
    now, then = (found["region"], vpcs.get(found["vpc_uuid"])), (env.region, str(env.vpc_range))
    if now != then:
        place = " and ".join(f"{old} instead of {new}" for old, new in zip(now, then, strict=True) if old != new)
        yield Step("", None, (f"cluster {env.cluster.name} is in {place}: end it first, as {PAGE} says, {AGAIN}",))


def _not_running(environments: Sequence[Environment], env: Environment) -> Iterator[Step]:
    """Yield what is to be merged until Flux finds what the file says: a new cluster applies whatever is there."""
    with running_tree(env) as tree:
        if not difference(tree, env.name, render(env)):
            return
    Bootstrap(environments).layout([env], dry_run=False)
    wanted = f"merge the pull request that is open in {env.gitops.full_name}"
    if env.tier != TIERS[0]:
        before = TIERS[TIERS.index(env.tier) - 1]
        wanted += f", let {env.name} run it (`bin/operations promote`, from an environment of tier {before})"
    yield Step("", None, (f"{wanted}, {AGAIN}",))


def _unlike(env: Environment, stage: Stage, plans: Path, patience: Patience) -> Iterator[Step]:
    """Yield that the plan of a stage is to be read and applied, where it changes anything."""
    planner = Provisioner(env, Purpose.PLAN)
    wait = patience.balancer if stage is Stage.DNS else 0
    written, readings = planner.plan(stage, plans, destroy=False, prepare=True, wait_seconds=wait)
    if written.changes:
        tell(written, readings)
        yield Step("", None, (f"read the plans of {stage}, run `bin/operations provision apply {env.name}`, {AGAIN}",))


def _wait(env: Environment, there: InCluster | None, patience: Patience) -> None:
    """Wait until all is Ready, and tell of what is not recovered beside what is not Ready."""
    try:
        wait_ready(env, timeout_seconds=patience.flux, poll_seconds=10)
    except ConfigError as error:
        late = missing(every(env), there) if there else []
        raise ConfigError(*error.problems, *late) from None

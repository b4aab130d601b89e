"""The sandbox on real machines: a cluster that follows it, in a world of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from constructs_lib.base.quantities import Storage
from constructs_lib.environment import Environment
from tests.chart_facts.helm import charts_path
from tests.e2e.node import charts, collector, postgres, rabbitmq, releases, valkey, world
from tests.e2e.node.cluster import TOOLS as CLUSTER_TOOLS
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.flux import Follower, follow
from tests.e2e.node.images import APPLICATION
from tests.e2e.node.machine import SYSTEM, WORKLOAD, Pool
from tests.e2e.node.spaces import Spaces
from tests.support import environment_data

TOOLS = (
    *(*CLUSTER_TOOLS, *world.TOOLS, *(program.tool for program in releases.PROGRAMS.values())),
    *(charts.TOOL, postgres.POSTGRES_FILES, postgres.BARMAN_FILES, postgres.POOLER_FILES),
    *(rabbitmq.RABBITMQ_FILES, *rabbitmq.TOOLS, valkey.VALKEY_FILES, APPLICATION.base),
    *("kustomize-controller", "prometheus", "prometheus-config-reloader", collector.TOOL),
)
SECRETS = {
    "digitalocean-dns": {"token": "dop_v1_test"},
    "backups": {"access_key_id": "key", "secret_access_key": "secret"},
    "postgres/main/episodic": {"password": "postgres-0123456789"},
    "rabbitmq/main/episodic": {"password": "rabbitmq-0123456789"},
    "rabbitmq/main/backups": {"password": "backups-0123456789"},
    "valkey/main": {"password": "valkey-0123456789"},
    "grafana": {"username": "admin", "password": "grafana-0123456789"},
}
"""What the documentation says that Vault has to hold for the sandbox."""

REAL = (
    *(
        "Vault",
        "Pebble",
        "Postgres",
        "PgBouncer",
        "RabbitMQ",
        "Valkey",
        "the gateway's collector",
    ),
    *(*rabbitmq.TOOLS, *releases.PROGRAMS),
)
STAND_INS = frozenset({"Spaces (moto)", "DigitalOcean's balancer"})
"""What stands beside Flux and the releases and is not real either."""

NOT_AWAITED = {"cert-manager-certificates"}
"""The layer for which nothing waits."""


class Outside(NamedTuple):
    """What outlives a cluster: the Git repository, Vault's entries, and the bucket's objects."""

    repository: Path
    entries: dict[str, dict[str, str]]
    objects: dict[str, bytes]

    def holds(self, prefix: str) -> bool:
        """Return whether the bucket has keys that begin so."""
        return any(key.startswith(prefix) for key in self.objects)


class Sandbox(NamedTuple):
    """A cluster with the sandbox on it; `end` ends it before its time."""

    env: Environment
    cluster: NodeCluster
    world: world.World
    spaces: Spaces
    follower: Follower
    end: Callable[[], None]

    @property
    def outside(self) -> Outside:
        """What is there of it outside of the cluster."""
        objects = {key: self.spaces.read(key) for key in self.spaces.stored()}
        return Outside(self.follower.repository.folder, self.world.entries(), objects)

    @property
    def stand_ins(self) -> list[str]:
        """What is not real in it."""
        return sorted(STAND_INS | self.follower.stand_ins)


def data(
    *beside: dict[str, Any],
    applications: Mapping[str, Any] | None = None,
    traces: str | None = None,
    **settings: object,
) -> dict[str, Any]:
    """Return what the file of the sandbox says, with a pooler before Postgres, and an image made here.

    `settings` are of the cluster of Postgres. Each of those `beside` it is like it but for what is said of it, and
    applications use it too, but for `applications`, which are added as they are. `traces` is where those go.
    """
    found = environment_data("sandbox")
    (cluster,) = found["platform"]["cloudnative_pg"]["clusters"]
    cluster |= {"pooler": {"instances": 1}, "image": postgres.POSTGRES.name, **settings}
    found["platform"]["cloudnative_pg"]["clusters"] += [{**cluster, **other} for other in beside]
    for app in found["applications"].values():
        app["uses"]["postgres"] |= {other["name"]: {} for other in beside if "retired" not in other}
    found["applications"] |= applications or {}
    if traces is not None:
        found["platform"]["observability"]["traces"] = {"backend": "otlp", "otlp": {"endpoint": traces}}
    return found


def environment(*beside: dict[str, Any], **more: Any) -> Environment:
    """Return the sandbox that such a file makes, with a small queue."""
    return made(data(*beside, **more))


def made(found: dict[str, Any]) -> Environment:
    """Return the sandbox of a file's data, with a small queue."""
    env = Environment.model_validate_json(json.dumps(found))
    # No volume of DigitalOcean is so small, but a test fills it.
    object.__setattr__(env.platform.observability.collectors, "queue", str.__new__(Storage, "8Mi"))
    return env


def production() -> Environment:
    """Return production, scaled down to what this machine has: as many pods of all that really runs, but small ones.

    Valkey and observability are left out: of their operators too little runs.
    """
    data = environment_data("production")
    platform = data["platform"]
    (postgres_cluster,) = platform["cloudnative_pg"]["clusters"]
    postgres_cluster["image"] = postgres.POSTGRES.name
    for part in ("cloudnative_pg", "rabbitmq_operator"):
        (cluster,) = platform[part]["clusters"]
        cluster |= {"cpu": "100m", "memory": "512Mi"}
    del platform["valkey_operator"]
    for app in data["applications"].values():
        del app["uses"]["valkey"]
    platform["observability"] = {"enabled": False}
    return Environment.model_validate_json(json.dumps(data))


@contextmanager
def sandbox(
    env: Environment, folder: Path, pools: Sequence[Pool] = (SYSTEM, WORKLOAD), *, left: Outside | None = None
) -> Generator[Sandbox]:
    """Start a cluster and all that it needs, and let it follow the environment, with what another one left."""
    with ExitStack() as stack:
        cluster = stack.enter_context(NodeCluster(folder / "cluster", pools, hosts=world.hosts(env), zone=env.domain))
        around, spaces = world.World(cluster, env), Spaces(cluster, env)
        around.start()
        around.trust()
        for path, values in SECRETS.items():
            around.write(path, **values)
        spaces.start()
        if left:
            around.write_all(left.entries)
            for key, data in left.objects.items():
                spaces.write(key, data)
        cluster.add_images(APPLICATION, postgres.POSTGRES, postgres.POOLER, postgres.DRILL, valkey.VALKEY)
        cluster.add_images(rabbitmq.RABBITMQ, *rabbitmq.OPERATORS, collector.COLLECTOR)
        follower = stack.enter_context(follow(cluster, env, folder, around.sites, left and left.repository))
        yield Sandbox(env, cluster, around, spaces, follower, stack.close)


def await_layers(made: Sandbox, folder: Path) -> float:
    """Wait until every layer is Ready that others wait for, and return the seconds that it took."""
    waiting: dict[str, str] = {}

    def is_up() -> bool:
        waiting.clear()
        waiting.update(made.follower.waiting())
        return len(made.follower.layers()) > 20 and set(waiting) <= NOT_AWAITED

    try:
        return made.cluster.eventually(is_up, "every layer is Ready")
    finally:
        (folder / "waiting").write_text("\n".join(f"{name}: {said}" for name, said in waiting.items()))


def charts_used() -> str:
    """Return where the charts come from whose programs have the charts' version."""
    folder = charts_path()
    return f"charts of {folder}" if folder else "stand-ins for charts"

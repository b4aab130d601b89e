"""Copies of what a Valkey cluster keeps: a snapshot of each shard, by the way that a replica takes.

The shards are copied one after another, so a copy is of no one moment across them.
Upstream: valkey-io/valkey 8.1 `src/valkey-cli.c` (--rdb, --cluster import), `src/rdb.c`, `valkey.conf`.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from constructs_lib.kit import Manifest, resources
from constructs_lib.platform import recovery
from constructs_lib.platform.valkey_operator.cluster import IMAGE, NAMESPACE, PORT, ValkeyCluster, certificate_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

PROGRAMS = tuple(Path(__file__).parent / name for name in ("snapshot.sh", "serve.sh", "drill.sh", "recover.sh"))


def copied(env: Environment, cluster: ValkeyCluster) -> recovery.Copied:
    """Return the copies of a cluster."""
    # What is loaded again needs what it needed before, and what its server needs beside it.
    server = resources(cluster.cpu, cluster.memory)
    words = shlex.split(cluster.recovery.check)
    nodes = (f"{pod}.{cluster.name}-headless.{NAMESPACE}.svc" for pod in cluster.pod_names)
    first = f"{cluster.name}.{NAMESPACE}.svc:{PORT}"
    return recovery.Copied(
        service="valkey",
        namespace=NAMESPACE,
        name=cluster.name,
        archive=f"{cluster.name}-{env.cluster.generation}",
        recovery=cluster.recovery,
        origin=cluster.recover_from,
        # The snapshots, and the object that is made of them.
        room=f"{2 * cluster.shards * cluster.memory.mebibytes}Mi",
        made=(_step(cluster, "snapshot", *nodes, size=recovery.SIZE, sees=("tls",)),),
        rehearsed=(recovery.step("drill", IMAGE, "sh", "/scripts/drill.sh", *words, environ=[], size=server),),
        recovered=(_step(cluster, "recover", first, size=server, sees=("tls",)),),
        sees={"tls": {"secret": {"secretName": certificate_secret(cluster.name)}}},
    )


def _step(cluster: ValkeyCluster, what: str, *words: str, size: Manifest, sees: tuple[str, ...]) -> Manifest:
    password = {"secretKeyRef": {"name": cluster.secret, "key": "password"}}
    environ: list[Manifest] = [{"name": "REDISCLI_AUTH", "valueFrom": password}]
    return recovery.step(what, IMAGE, "sh", f"/scripts/{what}.sh", *words, environ=environ, size=size, sees=sees)

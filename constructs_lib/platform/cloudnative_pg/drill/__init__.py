"""Drills: a job recovers the newest backup of a cluster into a Postgres that nobody reaches, and throws it away.

It does without the operator, so that nothing in it may call the Kubernetes API (docs/decisions/0043-recovery.md).
Upstream: PostgreSQL 18 "Continuous Archiving and Point-in-Time Recovery", Barman 3 `barman-cloud-*(1)`, Kubernetes
"CronJob", "Sidecar Containers" and "Ephemeral Volumes".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constructs_lib.base.quantities import Storage
from constructs_lib.kit import (
    CONFINED,
    HTTPS,
    Link,
    Manifest,
    Pods,
    ca_volume,
    claim,
    manifest,
    resources,
    ways_to,
)
from constructs_lib.platform.cloudnative_pg.settings import PostgresCluster
from constructs_lib.platform.cloudnative_pg.store import ARCHIVES, SIDECAR_RESOURCES
from constructs_lib.platform.recovery import BACKUP_SECRET, CA_KEY, CRON, IMAGE, bucket_environ, once, pod, scheduled

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

NAMESPACE = "drills"
NAME = "drill"
"""The name of what all drills share: their account, their programs, their quota."""
PROGRAMS = ("fetch.py", "log.sh", "recover.sh")
ROOM: Manifest = {"name": "drill", "mountPath": "/drill"}
TRUSTED = "/trusted"
"""The folder with the certificate that is trusted of the bucket's server, where that is not public."""


def pods(cluster: PostgresCluster) -> Pods:
    """Return the pods of a cluster's drills."""
    return Pods(NAMESPACE, cluster.name, {NAME: cluster.name})


def links(env: Environment, clusters: tuple[PostgresCluster, ...]) -> Iterator[Link]:
    """Yield the only way out of a drill: to the bucket. No way leads in."""
    return ways_to(env.backups.inside, HTTPS, *map(pods, clusters))


def objects(env: Environment, clusters: tuple[PostgresCluster, ...]) -> Iterator[Manifest]:
    """Yield an account without rights, a quota for one drill of each cluster, the programs and the drills."""
    yield manifest("v1", "ServiceAccount", NAME, NAMESPACE, automountServiceAccountToken=False)
    number = len(clusters)
    # The volume of the drill before may still be there.
    hard = {"pods": str(number), "persistentvolumeclaims": str(2 * number), "services": "0"}
    yield manifest("v1", "ResourceQuota", NAME, NAMESPACE, spec={"hard": hard})
    folder = Path(__file__).parent
    yield manifest("v1", "ConfigMap", NAME, NAMESPACE, data={name: (folder / name).read_text() for name in PROGRAMS})
    for cluster in clusters:
        yield _drill(env, cluster)


def _drill(env: Environment, cluster: PostgresCluster) -> Manifest:
    job = once(pods(cluster).labels, cluster.recovery.rto.seconds, _pod(env, cluster))
    return scheduled(cluster.name, NAMESPACE, CRON[cluster.recovery.pace(env)], job)


def _pod(env: Environment, cluster: PostgresCluster) -> Manifest:
    fetch = _fetch(env, cluster)
    steps = (
        {"name": "base", **fetch, "args": ["/scripts/fetch.py", "base"]},
        {"name": "log", **fetch, "args": ["/scripts/fetch.py", "log"], "restartPolicy": "Always"},
        _recover(cluster),
    )
    volumes: list[Manifest] = [
        {"name": "drill", "ephemeral": {"volumeClaimTemplate": {"spec": _volume(env, cluster)}}},
        {"name": "scripts", "configMap": {"name": NAME}},
        *([{"name": "trusted", "secret": ca_volume(BACKUP_SECRET)}] if env.backups.ca_bundle else []),
    ]
    return pod(NAME, steps, volumes)


def _container(image: str, **more: Any) -> Manifest:
    mounts = [ROOM, {"name": "scripts", "mountPath": "/scripts"}]
    return {"image": image, "securityContext": CONFINED, "volumeMounts": mounts, **more}


def _fetch(env: Environment, cluster: PostgresCluster) -> Manifest:
    """Return the container that reads the bucket; its program comes with what it shall do."""
    store, archive = f"s3://{env.backups.bucket}/{ARCHIVES}", cluster.archive(env.cluster.generation)
    environ = bucket_environ(env, STORE=store, ARCHIVE=archive, TMPDIR=ROOM["mountPath"])
    container = _container(IMAGE, command=["python3"], env=environ, resources=SIDECAR_RESOURCES)
    if env.backups.ca_bundle is not None:
        container["env"].append({"name": "AWS_CA_BUNDLE", "value": f"{TRUSTED}/{CA_KEY}"})
        container["volumeMounts"].append({"name": "trusted", "mountPath": TRUSTED, "readOnly": True})
    return container


def _recover(cluster: PostgresCluster) -> Manifest:
    first = cluster.first
    said = {"DATABASE": first.name, "OWNER": first.owner, "CHECK": cluster.recovery.check.replace("$(", "$$(")}
    environ = [{"name": name, "value": value} for name, value in said.items()]
    size = resources(cluster.cpu, cluster.memory)
    return {
        "name": "recover",
        **_container(cluster.image, command=["sh", "/scripts/recover.sh"], env=environ, resources=size),
    }


def _volume(env: Environment, cluster: PostgresCluster) -> Manifest:
    size = min(cluster.storage.mebibytes + cluster.wal_storage.mebibytes, Storage(Storage.most).mebibytes)
    return claim(env.cluster.storage_class, f"{size}Mi")

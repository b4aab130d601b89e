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
    ON_SYSTEM_POOL,
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
from constructs_lib.platform.cloudnative_pg.store import (
    ARCHIVES,
    BACKUP_SECRET,
    CA_KEY,
    SIDECAR_RESOURCES,
    backup_entry,
    client_settings,
)
from constructs_lib.platform.vault_eso import external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

NAMESPACE = "drills"
NAME = "drill"
"""The name of what all drills share: their account, their programs, their quota."""
IMAGE = "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar:v0.13.0"
"""What archives beside Postgres, of the plugin's version."""
PROGRAMS = ("fetch.py", "log.sh", "recover.sh")
USER = 26
"""As whom Postgres runs in the operator's images (v1.30.0 `pkg/specs/pods.go`)."""
CRON = {"daily": "30 4 * * *", "weekly": "30 4 * * 0", "monthly": "30 4 1 * *"}
"""When drills begin, in UTC: after the base backup of the night."""
ROOM: Manifest = {"name": "drill", "mountPath": "/drill"}
TRUSTED = "/trusted"
"""The folder with the certificate that is trusted of the bucket's server, where that is not public."""
KEPT_SECONDS = 3600
"""How long a drill that is over can be looked at; its volume goes with it."""


def pods(cluster: PostgresCluster) -> Pods:
    """Return the pods of a cluster's drills."""
    return Pods(NAMESPACE, cluster.name, {NAME: cluster.name})


def links(env: Environment, clusters: tuple[PostgresCluster, ...]) -> Iterator[Link]:
    """Yield the only way out of a drill: to the bucket. No way leads in."""
    return ways_to(env.backups.inside, HTTPS, *map(pods, clusters))


def credentials(env: Environment) -> Manifest:
    """Return what brings the key of the bucket."""
    return external_secret(env, BACKUP_SECRET, NAMESPACE, backup_entry(env))


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
    job = {
        # One that fails is told of, and one that takes longer than allowed has failed.
        "backoffLimit": 0,
        "activeDeadlineSeconds": cluster.recovery.rto.seconds,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": {"metadata": {"labels": pods(cluster).labels}, "spec": _pod(env, cluster)},
    }
    spec = {
        "schedule": CRON[cluster.recovery.pace(env)],
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "jobTemplate": {"spec": job},
    }
    return manifest("batch/v1", "CronJob", cluster.name, NAMESPACE, spec=spec)


def _pod(env: Environment, cluster: PostgresCluster) -> Manifest:
    fetch = _fetch(env, cluster)
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), USER),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **ON_SYSTEM_POOL,
        "initContainers": [
            {"name": "base", **fetch, "args": ["/scripts/fetch.py", "base"]},
            {"name": "log", **fetch, "args": ["/scripts/fetch.py", "log"], "restartPolicy": "Always"},
        ],
        "containers": [_recover(cluster)],
        "volumes": [
            {"name": "drill", "ephemeral": {"volumeClaimTemplate": {"spec": _volume(env, cluster)}}},
            {"name": "scripts", "configMap": {"name": NAME}},
            *([{"name": "trusted", "secret": ca_volume(BACKUP_SECRET)}] if env.backups.ca_bundle else []),
        ],
    }


def _container(image: str, **more: Any) -> Manifest:
    mounts = [ROOM, {"name": "scripts", "mountPath": "/scripts"}]
    return {"image": image, "securityContext": CONFINED, "volumeMounts": mounts, **more}


def _fetch(env: Environment, cluster: PostgresCluster) -> Manifest:
    """Return the container that reads the bucket; its program comes with what it shall do."""
    said = {
        "ENDPOINT": env.backups.endpoint,
        "STORE": f"s3://{env.backups.bucket}/{ARCHIVES}",
        "ARCHIVE": cluster.archive(env.cluster.generation),
        "TMPDIR": ROOM["mountPath"],
        "PYTHONUNBUFFERED": "1",
    }
    keys = {"AWS_ACCESS_KEY_ID": "ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "ACCESS_SECRET_KEY"}
    environ = [
        *({"name": name, "value": value} for name, value in (said | client_settings(env)).items()),
        *({"name": name, "valueFrom": {"secretKeyRef": {"name": BACKUP_SECRET, "key": keys[name]}}} for name in keys),
    ]
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

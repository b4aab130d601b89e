"""Jobs for recovery: pods without rights and token, whose steps follow each other in one room.

Upstream: Kubernetes "CronJob", "Jobs", "Init Containers".
"""

from __future__ import annotations

from constructs_lib.kit import CONFINED, ON_SYSTEM_POOL, Manifest, Values, manifest
from constructs_lib.platform.recovery.settings import Pace

CRON: dict[Pace, str] = {"daily": "30 4 * * *", "weekly": "30 4 * * 0", "monthly": "30 4 1 * *"}
"""When drills begin, in UTC: after the base backup of the night."""
IMAGE = "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar:v0.13.0"
"""What archives beside Postgres, of the plugin's version: the pinned image with a client of S3."""
USER = 26
"""As whom Postgres runs in the operator's images (v1.30.0 `pkg/specs/pods.go`), and every step of these jobs."""
KEPT_SECONDS = 3600
"""How long a job that is over can be looked at; its volume goes with it."""
ROOM: Manifest = {"name": "room", "mountPath": "/room"}
"""What the steps of a copy share."""


def scheduled(name: str, namespace: str, schedule: str, job: Manifest) -> Manifest:
    """Return what begins a job at its times, one after another."""
    spec = {
        "schedule": schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "jobTemplate": {"spec": {**job, "ttlSecondsAfterFinished": KEPT_SECONDS}},
    }
    return manifest("batch/v1", "CronJob", name, namespace, spec=spec)


def once(labels: dict[str, str], seconds: int, pod: Manifest) -> Manifest:
    """Return the spec of a job that is not tried again, and has failed where it takes longer than `seconds`."""
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"backoffLimit": 0, "activeDeadlineSeconds": seconds, "template": template}


def step(
    name: str, image: str, *command: str, environ: list[Manifest], size: Values, sees: tuple[str, ...] = ()
) -> Manifest:
    """Return a container that runs a command on what is in the room, and sees these volumes beside it."""
    mounts = [ROOM, *({"name": volume, "mountPath": f"/{volume}", "readOnly": True} for volume in ("scripts", *sees))]
    return {
        "name": name,
        "image": image,
        "command": list(command),
        "env": environ,
        "resources": size,
        "securityContext": CONFINED,
        "volumeMounts": mounts,
    }


def pod(account: str, steps: tuple[Manifest, ...], volumes: list[Manifest]) -> Manifest:
    """Return the spec of a pod without token, whose steps run one after another."""
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), USER),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **ON_SYSTEM_POOL,
        "initContainers": list(steps[:-1]),
        "containers": list(steps[-1:]),
        "volumes": volumes,
    }

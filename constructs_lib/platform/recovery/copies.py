"""Copies of what a service holds, where it archives nothing by itself: made, rehearsed, and brought back, by jobs.

A job that makes or brings back a copy reaches the service and the bucket; a drill reaches the bucket alone, from a
namespace where nobody else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from constructs_lib.base.quantities import Minutes
from constructs_lib.kit import (
    HTTPS,
    Layer,
    LayerId,
    Link,
    Manifest,
    Pods,
    Port,
    Ready,
    Room,
    Workload,
    at,
    ca_volume,
    manifest,
    resources,
    ways_to,
    workload,
)
from constructs_lib.platform.recovery import bucket
from constructs_lib.platform.recovery.jobs import CRON, IMAGE, once, pod, scheduled, step
from constructs_lib.platform.recovery.settings import CopyRecovery, Origin
from constructs_lib.platform.recovery.store import BACKUP_SECRET, CA_KEY, TRUSTED, bucket_environ, bucket_key

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

NAME = "copies"
"""The name of what all jobs of a namespace share: their account, their programs, their quota."""
LONGEST_SECONDS = 1800
"""How long a copy may take: less than what is the shortest between two."""
PATIENT = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "9"}
"""The bucket is asked for a minute or so until it answers: network policies know a new pod after a moment."""
SIZE = resources("50m", "256Mi")
"""What a step asks for that is no server."""
CREATED_ONCE = {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}
"""Flux makes it, and changes it never: it runs once, and no field of a job can change."""
DONE = (Ready("batch/v1", "Job", "has(status.succeeded) && status.succeeded >= 1"),)


@dataclass(frozen=True)
class Copied:
    """A cluster of a service of which copies are made.

    `made`, `rehearsed` and `recovered` are the steps that fill the room, look at what came back, and give it to the
    cluster; `sees` are volumes that the first and the last of these see.
    """

    service: str
    namespace: str
    name: str
    archive: str
    recovery: CopyRecovery
    origin: Origin | None
    room: str
    made: tuple[Manifest, ...]
    rehearsed: tuple[Manifest, ...]
    recovered: tuple[Manifest, ...]
    sees: dict[str, Manifest] = field(default_factory=dict[str, Manifest])

    @property
    def drills(self) -> str:
        """The namespace of the drills."""
        return drills(self.namespace)

    @property
    def copy_name(self) -> str:
        """The name of what makes copies."""
        return f"{self.name}-copy"

    def pods(self, does: str) -> Pods:
        """Return the pods that copy, or recover."""
        return Pods(self.namespace, f"{does}-{self.name}", {does: self.name})

    @property
    def drill_pods(self) -> Pods:
        """The pods of its drills."""
        return Pods(self.drills, self.name, {"drill": self.name})


def drills(namespace: str) -> str:
    """Return the namespace in which copies of what runs in another are rehearsed."""
    return f"{namespace}-drills"


def links(env: Environment, one: Copied, served: Pods, port: Port) -> Iterator[Link]:
    """Yield the ways of its jobs: to the bucket, and to what is copied, but for drills."""
    for does in ("copy", "recover") if one.origin else ("copy",):
        yield Link(one.pods(does), served, (port,))
        yield from ways_to(env.backups.inside, HTTPS, one.pods(does))
    yield from ways_to(env.backups.inside, HTTPS, one.drill_pods)


def credentials(env: Environment, namespace: str) -> Iterator[Manifest]:
    """Yield what brings the bucket's key to the jobs."""
    yield bucket_key(env, namespace)
    yield bucket_key(env, drills(namespace))


def copies_layer(
    env: Environment, layer: LayerId, credentials: LayerId, programs: Iterable[Path], copied: tuple[Copied, ...]
) -> Layer:
    """Return the layer with what makes copies and rehearses them; no application waits for it."""
    objects = tuple(_objects(env, copied[0].namespace, programs, copied))
    return Layer(layer, objects, after=(credentials,), timeout=Minutes("5m"), blocks_apps=False)


def recovery_layer(env: Environment, layer: LayerId, served: LayerId, copied: tuple[Copied, ...]) -> Iterator[Layer]:
    """Yield the layer in which clusters get what a copy had; applications wait for it."""
    if objects := tuple(_recoveries(env, copied)):
        timeout = max((one.recovery.rto for one in copied if one.origin), key=lambda rto: rto.seconds)
        yield Layer(layer, objects, after=(served,), timeout=timeout, ready=DONE)


def _objects(
    env: Environment, namespace: str, programs: Iterable[Path], copied: tuple[Copied, ...]
) -> Iterator[Manifest]:
    """Yield the jobs and what they share, in two namespaces; a quota keeps drills to one of each cluster."""
    data = {path.name: path.read_text() for path in (Path(bucket.__file__), *programs)}
    for place in (namespace, drills(namespace)):
        yield manifest("v1", "ServiceAccount", NAME, place, automountServiceAccountToken=False)
        yield manifest("v1", "ConfigMap", NAME, place, data=data)
    hard = {"pods": str(len(copied)), "persistentvolumeclaims": "0", "services": "0"}
    yield manifest("v1", "ResourceQuota", NAME, drills(namespace), spec={"hard": hard})
    for one in copied:
        made = _job(
            one, one.pods("copy"), LONGEST_SECONDS, (*one.made, _with_bucket(env, one, "put")), one.sees | _trusted(env)
        )
        yield scheduled(one.copy_name, one.namespace, one.recovery.schedule, made)
        rehearsed = (_with_bucket(env, one, "get"), *one.rehearsed)
        job = _job(one, one.drill_pods, one.recovery.rto.seconds, rehearsed, _trusted(env))
        yield scheduled(one.name, one.drills, CRON[one.recovery.pace(env)], job)


def _recoveries(env: Environment, copied: Iterable[Copied]) -> Iterator[Manifest]:
    """Yield a job for each cluster that starts with a copy; it is named after that copy, and runs once."""
    for one in copied:
        if one.origin is None:
            continue
        steps = (_with_bucket(env, one, "get", one.origin), *one.recovered)
        spec = _job(one, one.pods("recover"), one.recovery.rto.seconds, steps, one.sees | _trusted(env))
        item = manifest("batch/v1", "Job", recovery_name(one.name, one.origin), one.namespace, spec=spec)
        item["metadata"] |= {"annotations": dict(CREATED_ONCE), "labels": one.pods("recover").labels}
        yield item


def recovery_name(name: str, origin: Origin) -> str:
    """Return the name of the job that gives a cluster what was copied; another copy is another job."""
    return f"{name}-recover-{sha256(f'{origin.archive} {origin.until}'.encode()).hexdigest()[:8]}"


def workloads(env: Environment, namespace: str) -> Iterator[Workload]:
    """Yield the pods of all jobs of a namespace and of its drills."""
    for place in (namespace, drills(namespace)):
        for name, spec in env.rendered.specs("batch/v1", "CronJob", place):
            yield _passing(place, f"CronJob/{name}", at(spec, "jobTemplate.spec.template.spec"))
        for name, spec in env.rendered.specs("batch/v1", "Job", place):
            yield _passing(place, f"Job/{name}", at(spec, "template.spec"))


def _passing(namespace: str, name: str, spec: Manifest) -> Workload:
    """Return a pod whose steps follow each other, so that it asks for the most that one of them does."""
    containers = (*spec["initContainers"], *spec["containers"])
    steps = [workload(namespace, name, spec, container["resources"], passing=True) for container in containers]
    return replace(steps[0], each=Room(*map(max, *(item.each for item in steps))))


def _job(one: Copied, pods: Pods, seconds: int, steps: tuple[Manifest, ...], sees: dict[str, Manifest]) -> Manifest:
    volumes: list[Manifest] = [
        {"name": "room", "emptyDir": {"sizeLimit": one.room}},
        {"name": "scripts", "configMap": {"name": NAME}},
        *({"name": name, **source} for name, source in sees.items()),
    ]
    return once(pods.labels, seconds, pod(NAME, steps, volumes))


def _trusted(env: Environment) -> dict[str, Manifest]:
    """Return the volume with the certificate that is trusted of the bucket's server, where that is not public."""
    return {} if env.backups.ca_bundle is None else {TRUSTED: {"secret": ca_volume(BACKUP_SECRET)}}


def _with_bucket(env: Environment, one: Copied, does: str, origin: Origin | None = None) -> Manifest:
    archive = origin.archive if origin else one.archive
    said = {"BUCKET": env.backups.bucket, "KEY": f"{one.service}/{archive}.tar.gz", **PATIENT}
    if origin and origin.until:
        said["UNTIL"] = origin.until
    sees = () if env.backups.ca_bundle is None else (TRUSTED,)
    if sees:
        said["AWS_CA_BUNDLE"] = f"/{TRUSTED}/{CA_KEY}"
    environ = bucket_environ(env, **said)
    return step(does, IMAGE, "python3", "/scripts/bucket.py", does, environ=environ, size=SIZE, sees=sees)

"""What the pods of Postgres ask for: operators, instances with the sidecar that archives, poolers.

Upstream: cloudnative-pg/cloudnative-pg v1.30.0 `pkg/specs`, cloudnative-pg/plugin-barman-cloud v0.13.0
`internal/cnpgi/operator/lifecycle.go`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.kit import Workload, at, workload
from constructs_lib.platform.cloudnative_pg import drill
from constructs_lib.platform.cloudnative_pg.cluster import API, OPERATOR_NAMESPACE
from constructs_lib.platform.cloudnative_pg.settings import NAMESPACE
from constructs_lib.platform.cloudnative_pg.store import OBJECT_STORES

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


def workloads(env: Environment) -> Iterator[Workload]:
    """Yield the pods of the operators, of the clusters, of the poolers and of the drills.

    A job that makes or recovers an instance runs in its place, and is not counted beside it.
    """
    for values in env.rendered.values("cloudnative-pg"):
        replicas = at(values, "replicaCount")
        yield workload(OPERATOR_NAMESPACE, "Deployment/cloudnative-pg", values, pods=replicas)
    for values in env.rendered.values("plugin-barman-cloud"):
        yield workload(OPERATOR_NAMESPACE, "Deployment/plugin-barman-cloud", values)
    yield from _clusters(env)
    yield from _poolers(env)
    yield from _drills(env)


def _clusters(env: Environment) -> Iterator[Workload]:
    stores = dict(env.rendered.specs(OBJECT_STORES, "ObjectStore"))
    for name, spec in env.rendered.specs(API, "Cluster"):
        sidecar = at(stores.get(name), "instanceSidecarConfiguration.resources")
        apart = at(spec, "affinity.podAntiAffinityType") == "required"
        volumes = sum(key in spec for key in ("storage", "walStorage"))
        used = (spec.get("resources"), sidecar)
        placed, pods = spec.get("affinity"), spec.get("instances")
        yield workload(NAMESPACE, f"Pod/{name}-1", placed, *used, pods=pods, volumes=volumes, apart=apart)


def _poolers(env: Environment) -> Iterator[Workload]:
    for name, spec in env.rendered.specs(API, "Pooler"):
        pod = at(spec, "template.spec") or {}
        used = (container.get("resources") for container in pod.get("containers", ()))
        yield workload(NAMESPACE, f"Deployment/{name}", pod, *used, pods=spec.get("instances"))


def _drills(env: Environment) -> Iterator[Workload]:
    for name, spec in env.rendered.specs("batch/v1", "CronJob", drill.NAMESPACE):
        pod = at(spec, "jobTemplate.spec.template.spec")
        used = (container["resources"] for container in (pod["initContainers"][-1], *pod["containers"]))
        yield workload(drill.NAMESPACE, f"CronJob/{name}", pod, *used, volumes=1, passing=True)

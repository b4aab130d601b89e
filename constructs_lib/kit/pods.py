"""Where platform services run: on pools with the role `system`, whose taint keeps everything else away."""

from __future__ import annotations

import json

from constructs_lib.kit.chart import Values
from constructs_lib.kit.objects import Manifest

POOL_LABEL = "pool"
"""The label of a node with the name of its pool; DigitalOcean's own label changes with the size."""
ROLE_LABEL = "pool-role"
"""The label of a node with the role of its pool."""
SYSTEM_ROLE = "system"
WORKLOAD_ROLE = "workload"

SYSTEM_TAINT = {"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}
"""The taint that CoreDNS and other add-ons of Kubernetes already tolerate (kubernetes v1.35 `cluster/addons/dns`)."""

SYSTEM_NODE_SELECTOR = {ROLE_LABEL: SYSTEM_ROLE}
SYSTEM_TOLERATIONS: list[Manifest] = [{"key": SYSTEM_TAINT["key"], "operator": "Exists"}]

ON_SYSTEM_POOL: Values = {"nodeSelector": SYSTEM_NODE_SELECTOR, "tolerations": SYSTEM_TOLERATIONS}
"""The Helm values by which most charts place their pods."""

DEPLOYMENTS_ON_SYSTEM_POOL: Manifest = {
    "target": {"kind": "Deployment"},
    "patch": json.dumps(
        [{"op": "add", "path": f"/spec/template/spec/{key}", "value": value} for key, value in ON_SYSTEM_POOL.items()]
    ),
}
"""The kustomize patch by which manifests that are no chart place their pods."""

STORAGE_CLASS = "do-block-storage"
"""Volumes that go with their claim."""
KEPT_STORAGE_CLASS = "do-block-storage-retain"
"""Volumes that outlive their claim (docs.digitalocean.com, Add volumes to Kubernetes clusters)."""


CONFINED: Values = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
"""The security context of a container that needs nothing of its node, and writes to its volumes alone."""


def ca_volume(secret: str) -> Manifest:
    """Return the volume of a Secret with the certificate of a CA alone, without the pair that may be beside it."""
    return {"secretName": secret, "items": [{"key": "ca.crt", "path": "ca.crt"}]}


def spread(**labels: str) -> list[Manifest]:
    """Return topology spread constraints that keep the pods with `labels` on different nodes where that is possible."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels},
        }
    ]


def resources(cpu: str, memory: str, memory_limit: str | None = None) -> Values:
    """Return requests and a memory limit, equal to the request unless given. Limiting CPU would only throttle."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit or memory}}


def claim(storage_class: str, size: str) -> Values:
    """Return the spec of a claim of a volume that one node mounts."""
    requests = {"requests": {"storage": size}}
    return {"accessModes": ["ReadWriteOnce"], "storageClassName": storage_class, "resources": requests}


def cpu_unlimited(sizes: Values) -> Values:
    """Return `sizes` for where they are merged into others that limit CPU: null removes, in values as in patches."""
    return {**sizes, "limits": {**sizes["limits"], "cpu": None}}

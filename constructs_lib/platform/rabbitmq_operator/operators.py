"""The two operators of RabbitMQ, from their tagged releases: neither has a chart.

Upstream: rabbitmq/cluster-operator v2.22.3 and rabbitmq/messaging-topology-operator v1.20.1, `config/installation`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from constructs_lib.base.quantities import Minutes
from constructs_lib.kit import (
    DEPLOYMENTS_ON_SYSTEM_POOL,
    FLUX_INTERVAL,
    FLUX_KUSTOMIZATION,
    FLUX_NAMESPACE,
    FLUX_SOURCE,
    PLATFORM_ACCOUNT,
    RETRIES,
    Manifest,
    cpu_unlimited,
    manifest,
    resources,
)
from constructs_lib.platform import cert_manager

NAMESPACE = "rabbitmq-system"


class Installed(NamedTuple):
    """An operator that is installed from a tag of its repository: `commit` is what the tag was when it was looked up.

    `pods` is merged into those of its Deployment, as kustomize merges strategically: lists by name, null removes.
    """

    name: str
    repository: str
    version: str
    commit: str
    image: str
    pods: Manifest


CLUSTER_OPERATOR = Installed(
    "rabbitmq-cluster-operator",
    "https://github.com/rabbitmq/cluster-operator",
    "2.22.3",
    "03e0b49c077a9c8d926fb4c8cbe2dd0bbdffd539",
    "ghcr.io/rabbitmq/cluster-operator",
    {"containers": [{"name": "operator", "resources": cpu_unlimited(resources("50m", "256Mi", "500Mi"))}]},
)

# It trusts the system's pool alone (`topology_controller.go` extractSystemCertPool): Go reads this folder, once.
_TRUST = {"name": "internal-ca", "mountPath": "/etc/ssl/certs/internal-ca.crt", "subPath": "ca.crt", "readOnly": True}
TOPOLOGY_OPERATOR = Installed(
    "messaging-topology-operator",
    "https://github.com/rabbitmq/messaging-topology-operator",
    "1.20.1",
    "bf34d8456e5c44e861d40e265085fe2e9b8d1976",
    "ghcr.io/rabbitmq/messaging-topology-operator",
    {
        "containers": [
            {
                "name": "manager",
                "resources": cpu_unlimited(resources("50m", "128Mi", "512Mi")),
                "volumeMounts": [_TRUST],
            }
        ],
        "volumes": [{"name": _TRUST["name"], "secret": cert_manager.CA_VOLUME}],
    },
)


def install(operator: Installed, layer: Minutes) -> Iterator[Manifest]:
    """Yield the source and the Kustomization of an operator's tagged release, placed and with its image pinned.

    `layer` is the time that the layer may take which holds them.
    """
    yield manifest(
        FLUX_SOURCE,
        "GitRepository",
        operator.name,
        FLUX_NAMESPACE,
        spec={
            "interval": FLUX_INTERVAL,
            "url": operator.repository,
            # Flux takes the commit, which has to be on a branch (fluxcd/pkg `git/gogit/clone.go`): a tag can be moved.
            "ref": {"tag": f"v{operator.version}", "commit": operator.commit},
            "ignore": "/*\n!/config\n",
        },
    )
    spec = {
        "interval": FLUX_INTERVAL,
        "retryInterval": RETRIES.layer,
        # Less than the job may take by which apply mode waits for it.
        "timeout": layer.shorter.shorter,
        "path": "./config/installation",
        "prune": True,
        "wait": True,
        "force": False,
        # The CRDs, and with them all brokers, outlive this object.
        "deletionPolicy": "Orphan",
        "serviceAccountName": PLATFORM_ACCOUNT,
        "sourceRef": {"kind": "GitRepository", "name": operator.name},
        "images": [{"name": operator.image, "newTag": operator.version}],
        "patches": list(_patches(operator)),
    }
    yield manifest(FLUX_KUSTOMIZATION, "Kustomization", operator.name, FLUX_NAMESPACE, spec=spec)


def _patches(operator: Installed) -> Iterator[Manifest]:
    remove_namespace = f"$patch: delete\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"
    yield {"target": {"kind": "Namespace", "name": NAMESPACE}, "patch": remove_namespace}
    yield DEPLOYMENTS_ON_SYSTEM_POOL
    pods = manifest("apps/v1", "Deployment", operator.name, spec={"template": {"spec": operator.pods}})
    yield {"target": {"kind": "Deployment"}, "patch": json.dumps(pods)}

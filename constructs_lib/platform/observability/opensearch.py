"""OpenSearch itself: the cluster with its Dashboards, who may write and read, and how long an index lives.

Upstream: opensearch-project/opensearch-k8s-operator opensearch-operator-3.0.2 `docs/userguide/main.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from constructs_lib.base.quantities import Days, Memory, Storage
from constructs_lib.kit import (
    ON_SYSTEM_POOL,
    Manifest,
    ca_volume,
    manifest,
    resources,
)
from constructs_lib.platform.observability.names import NAMESPACE

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

# renovate: datasource=docker depName=docker.io/opensearchproject/opensearch
OPENSEARCH_VERSION = "3.6.0"
API = "opensearch.org/v1"

CLUSTER = "logs"
PORT = 9200
IN_CLUSTER: Manifest = {"opensearchCluster": {"name": CLUSTER}}
ENDPOINT = f"https://{CLUSTER}.{NAMESPACE}.svc:{PORT}"


def ca_secret(cluster: str) -> str:
    """Return the Secret in which the operator keeps the CA of the certificates that it makes."""
    return f"{cluster}-ca"


CA_VOLUME = ca_volume(ca_secret(CLUSTER))
ADMIN_SECRET = "opensearch-admin"  # noqa: S105 - a name
WRITER = "otel-gateway"
WRITER_SECRET = "opensearch-writer"  # noqa: S105 - a name
READER = "reader"
READER_SECRET = "opensearch-reader"  # noqa: S105 - a name

NODE_POOL = "nodes"
DASHBOARDS_CA = "/usr/share/opensearch-dashboards/ca"


def role(name: str, index: str, cluster: tuple[str, ...], allowed: tuple[str, ...]) -> Manifest:
    """Return the role that may do `allowed` with the indices, and `cluster` with the whole."""
    permissions = [{"indexPatterns": [index], "allowedActions": list(allowed)}]
    spec = {**IN_CLUSTER, "clusterPermissions": list(cluster), "indexPermissions": permissions}
    return manifest(API, "OpensearchRole", name, NAMESPACE, spec=spec)


def user(name: str, secret: str, roles: tuple[str, ...]) -> Iterator[Manifest]:
    """Yield a user with a password from a Secret, and its roles."""
    user = {**IN_CLUSTER, "passwordFrom": {"name": secret, "key": "password"}}
    yield manifest(API, "OpensearchUser", name, NAMESPACE, spec=user)
    binding = {**IN_CLUSTER, "users": [name], "roles": list(roles)}
    yield manifest(API, "OpensearchUserRoleBinding", name, NAMESPACE, spec=binding)


def index_name(env: Environment) -> str:
    """Return how the names of the environment's indices begin: one for each day follows."""
    return f"logs-{env.name}"


def _node_pool(env: Environment, nodes: int, storage: Storage, memory: Memory) -> Manifest:
    half = memory.mebibytes // 2
    pool: Manifest = {
        "component": NODE_POOL,
        "replicas": nodes,
        "roles": ["cluster_manager", "data", "ingest"],
        "diskSize": storage,
        "jvm": f"-Xms{half}M -Xmx{half}M",
        "persistence": {"pvc": {"accessModes": ["ReadWriteOnce"], "storageClass": env.cluster.kept_storage_class}},
        "resources": resources("250m", memory),
        **ON_SYSTEM_POOL,
    }
    if nodes > 1:
        pool["pdb"] = {"enable": True, "minAvailable": nodes - 1}
    return pool


def cluster(env: Environment, nodes: int, copies: int, storage: Storage, memory: Memory) -> Manifest:
    """Return the cluster, whose indices have so many copies beside the first."""
    spec = {
        "general": {
            "serviceName": CLUSTER,
            "version": OPENSEARCH_VERSION,
            "httpPort": PORT,
            "drainDataNodes": nodes > 1,
            # Memory maps need a setting of the node that only a privileged container could raise.
            "setVMMaxMapCount": False,
            "additionalConfig": {
                "node.store.allow_mmap": "false",
                # Of indices that no template of ours knows, such as that of the security plugin's audit.
                "cluster.default_number_of_replicas": str(copies),
                "plugins.index_state_management.history.number_of_replicas": str(copies),
            },
        },
        "bootstrap": {**ON_SYSTEM_POOL, "resources": resources("100m", "1Gi")},
        "security": {
            "config": {
                "adminCredentialsSecret": {"name": ADMIN_SECRET},
                "updateJob": {**ON_SYSTEM_POOL, "resources": resources("50m", "512Mi")},
            },
            "tls": {"transport": {"generate": True, "perNode": True}, "http": {"generate": True}},
        },
        "nodePools": [_node_pool(env, nodes, storage, memory)],
        "dashboards": {**_dashboards(), **ON_SYSTEM_POOL},
    }
    return manifest(API, "OpenSearchCluster", CLUSTER, NAMESPACE, spec=spec)


def _dashboards() -> Manifest:
    """Return where people read logs; the operator makes the password by which it asks the cluster."""
    return {
        "enable": True,
        "version": OPENSEARCH_VERSION,
        "replicas": 1,
        "tls": {"enable": True, "generate": True},
        "additionalVolumes": [{"name": "ca", "path": DASHBOARDS_CA, "secret": CA_VOLUME}],
        "additionalConfig": {
            "opensearch.ssl.verificationMode": "full",
            "opensearch.ssl.certificateAuthorities": f"{DASHBOARDS_CA}/ca.crt",
        },
        "resources": resources("100m", "512Mi", "1Gi"),
    }


def template(index: str, copies: int) -> Manifest:
    """Return what every new index is made with."""
    own = {"index": {"number_of_shards": 1, "number_of_replicas": copies}}
    spec = {**IN_CLUSTER, "name": "logs", "indexPatterns": [index], "priority": 100, "template": {"settings": own}}
    return manifest(API, "OpensearchIndexTemplate", "logs", NAMESPACE, spec=spec)


def lifecycle(index: str, retention: Days) -> Manifest:
    """Return the policy by which an index ends after the retention."""
    gone = [{"stateName": "delete", "conditions": {"minIndexAge": retention}}]
    spec = {
        **IN_CLUSTER,
        "policyId": "logs",
        "description": f"Indices of logs are deleted after {retention}",
        "defaultState": "hot",
        "applyToExistingIndices": True,
        "ismTemplate": {"indexPatterns": [index], "priority": 100},
        "states": [
            {"name": "hot", "actions": [], "transitions": gone},
            {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
        ],
    }
    return manifest(API, "OpenSearchISMPolicy", "logs", NAMESPACE, spec=spec)

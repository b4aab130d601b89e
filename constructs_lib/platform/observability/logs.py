"""Logs: OpenSearch with its Dashboards, or any endpoint that takes OTLP.

Upstream: opensearch-project/opensearch-k8s-operator opensearch-operator-3.0.2 `docs/userguide/main.md`,
`charts/opensearch-operator/{values.yaml,templates/}`; labels of pods: `opensearch-operator/pkg/builders/cluster.go`
and `dashboards.go`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.base.change import FREE, VOLUME_GROWS, Change, replaces, rolls
from constructs_lib.base.quantities import Days, Memory, Storage
from constructs_lib.kit import (
    KEPT_STORAGE_CLASS,
    ON_SYSTEM_POOL,
    Chart,
    Link,
    Manifest,
    Operator,
    Pods,
    Release,
    StatefulSet,
    Values,
    Workload,
    at,
    ca_volume,
    cpu_unlimited,
    group,
    kept,
    manifest,
    resources,
    to_api_server,
    webhook,
    workload,
)
from constructs_lib.platform.observability.names import GATEWAY, NAMESPACE
from constructs_lib.platform.observability.otlp import Otlp
from constructs_lib.platform.observability.part import Part
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("https://opensearch-project.github.io/opensearch-k8s-operator/", "opensearch-operator", "3.0.2")
# renovate: datasource=docker depName=docker.io/opensearchproject/opensearch-operator
OPERATOR_IMAGE_TAG = "3.0.0-alpha"
"""What chart 3.0.2 was published with; no later image is known (tags of the repository end at v3.0.0-alpha)."""
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

OPERATOR_PODS = Pods(NAMESPACE, "opensearch-operator", {"app.kubernetes.io/name": "opensearch-operator"})
OWNER_LABEL = "opensearch.org/opensearch-cluster"
NODE_POOL = "nodes"
NODES = StatefulSet(NAMESPACE, "opensearch", {OWNER_LABEL: CLUSTER}, statefulset=f"{CLUSTER}-{NODE_POOL}")
"""The nodes, and the bootstrap pod that forms the cluster with them."""
SECURITY_JOB = Pods(
    NAMESPACE, "opensearch-security", {"opensearch.org/opensearch-job": f"{CLUSTER}-securityconfig-update"}
)
"""The job that sets up who may log in; until it has, nobody can."""
DASHBOARDS = Pods(NAMESPACE, "opensearch-dashboards", {"opensearch.cluster.dashboards": CLUSTER})
WEBHOOK_LINK = webhook(OPERATOR_PODS, 9443)
DASHBOARDS_CA = "/usr/share/opensearch-dashboards/ca"


class Logs(Part):
    """Where logs go."""

    operators: ClassVar = (
        Operator(
            CHART.name,
            groups=(group(API),),
            data=("OpenSearchCluster",),
            webhook=WEBHOOK_LINK,
            budget_label=OWNER_LABEL,
        ),
    )

    backend: Annotated[Literal["none", "opensearch", "otlp"], Change(replaces("the logs that the old backend has"))] = (
        "none"
    )
    otlp: Otlp | None = Field(default=None, description="Where, and only where, backend otlp sends to.")
    nodes: Annotated[Literal[1, 3, 5], Change(FREE, smaller=rolls("the nodes that go, whose data moves first"))] = (
        Field(default=1, description="Nodes of OpenSearch.")
    )
    retention: Annotated[Days, Change(FREE, smaller=replaces("logs that are older"))] = Days("7d")
    storage: Annotated[Storage, VOLUME_GROWS] = Field(default=Storage("20Gi"), description="Volume of each node.")
    memory: Memory = Field(default=Memory("2Gi"), description="Memory of each node, requested and limit; half is heap.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.otlp is not None) != (self.backend == "otlp"):
            raise ValueError(f"otlp belongs to backend otlp, found backend {self.backend}; set both or neither")
        return self

    @property
    def is_on(self) -> bool:
        """Whether OpenSearch runs in the cluster."""
        return self.backend == "opensearch"

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways between operator, nodes, gateway and Dashboards."""
        yield from to_api_server(OPERATOR_PODS)
        yield WEBHOOK_LINK
        yield Link(OPERATOR_PODS, NODES, (PORT,))
        yield Link(NODES, NODES, (PORT, 9300))
        yield Link(SECURITY_JOB, NODES, (PORT,))
        yield Link(GATEWAY, NODES, (PORT,))
        yield Link(DASHBOARDS, NODES, (PORT,))

    def controllers(self, env: Environment) -> Iterator[Release]:
        """Yield the operator."""
        yield Release("opensearch-operator", NAMESPACE, CHART, _values(), stateful=True)

    def credentials(self, env: Environment) -> Iterator[Manifest]:
        """Yield the passwords of the administrator, of who writes and of who reads."""
        keys = {"username": "username", "password": "password"}
        yield external_secret(env, ADMIN_SECRET, NAMESPACE, InVault("opensearch/admin", keys))
        for secret, entry in ((WRITER_SECRET, "writer"), (READER_SECRET, "reader")):
            yield external_secret(env, secret, NAMESPACE, InVault(f"opensearch/{entry}", {"password": "password"}))

    def backends(self, env: Environment) -> Iterator[Manifest]:
        """Yield the cluster, who may write and read, and how long an index lives."""
        yield kept(_cluster(self))
        index = f"{index_name(env)}-*"
        writes = ("create_index", "write", "indices:admin/mapping/put")
        yield _role(WRITER, index, ("cluster_composite_ops", "cluster_monitor"), writes)
        yield from _user(WRITER, WRITER_SECRET, (WRITER,))
        yield _role(READER, index, ("cluster_composite_ops_ro",), ("read",))
        # OpenSearch's own role, with which people use Dashboards.
        yield from _user(READER, READER_SECRET, (READER, "kibana_user"))
        yield _template(index, self)
        yield _lifecycle(index, self)

    @property
    def replicas(self) -> int:
        """How many copies an index has beside the first: one where there is a node for it, or it is never whole."""
        return min(1, self.nodes - 1)

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of the operator and of what it makes: nodes, Dashboards, and what runs once."""
        for values in env.rendered.values("opensearch-operator"):
            used = at(values, "manager.resources")
            yield workload(NAMESPACE, "Deployment/opensearch-operator", values, used)
        for name, spec in env.rendered.specs(API, "OpenSearchCluster"):
            for pool in spec["nodePools"]:
                nodes = f"StatefulSet/{name}-{pool['component']}"
                yield workload(NAMESPACE, nodes, pool, pods=pool.get("replicas"), volumes=1)
            shown = at(spec, "dashboards")
            yield workload(NAMESPACE, f"Deployment/{name}-dashboards", shown, pods=at(shown, "replicas"))
            yield workload(NAMESPACE, f"Pod/{name}-bootstrap-0", at(spec, "bootstrap"), volumes=1, passing=True)
            job = at(spec, "security.config.updateJob")
            yield workload(NAMESPACE, f"Job/{name}-securityconfig-update", job, passing=True)

    @property
    def watched(self) -> StatefulSet:
        """The nodes, of which a majority must be ready."""
        return replace(NODES, needed=self.nodes // 2 + 1)


def _values() -> Values:
    manager = {
        "image": {"tag": OPERATOR_IMAGE_TAG},
        "watchNamespace": NAMESPACE,
        "resources": cpu_unlimited(resources("100m", "256Mi", "512Mi")),
        "securityContext": {"capabilities": {"drop": ["ALL"]}},
    }
    return {
        **ON_SYSTEM_POOL,
        "manager": manager,
        # Rights in the one namespace that it watches: no Secret of another.
        "useRoleBindings": True,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "webhook": {"enabled": True, "certManager": {"enabled": True}},
    }


def _role(name: str, index: str, cluster: tuple[str, ...], allowed: tuple[str, ...]) -> Manifest:
    permissions = [{"indexPatterns": [index], "allowedActions": list(allowed)}]
    spec = {**IN_CLUSTER, "clusterPermissions": list(cluster), "indexPermissions": permissions}
    return manifest(API, "OpensearchRole", name, NAMESPACE, spec=spec)


def _user(name: str, secret: str, roles: tuple[str, ...]) -> Iterator[Manifest]:
    user = {**IN_CLUSTER, "passwordFrom": {"name": secret, "key": "password"}}
    yield manifest(API, "OpensearchUser", name, NAMESPACE, spec=user)
    binding = {**IN_CLUSTER, "users": [name], "roles": list(roles)}
    yield manifest(API, "OpensearchUserRoleBinding", name, NAMESPACE, spec=binding)


def index_name(env: Environment) -> str:
    """Return how the names of the environment's indices begin: one for each day follows."""
    return f"logs-{env.name}"


def _node_pool(settings: Logs) -> Manifest:
    half = settings.memory.mebibytes // 2
    pool: Manifest = {
        "component": NODE_POOL,
        "replicas": settings.nodes,
        "roles": ["cluster_manager", "data", "ingest"],
        "diskSize": settings.storage,
        "jvm": f"-Xms{half}M -Xmx{half}M",
        "persistence": {"pvc": {"accessModes": ["ReadWriteOnce"], "storageClass": KEPT_STORAGE_CLASS}},
        "resources": resources("250m", settings.memory),
        **ON_SYSTEM_POOL,
    }
    if settings.nodes > 1:
        pool["pdb"] = {"enable": True, "minAvailable": settings.nodes - 1}
    return pool


def _cluster(settings: Logs) -> Manifest:
    spec = {
        "general": {
            "serviceName": CLUSTER,
            "version": OPENSEARCH_VERSION,
            "httpPort": PORT,
            "drainDataNodes": settings.nodes > 1,
            # Memory maps need a setting of the node that only a privileged container could raise.
            "setVMMaxMapCount": False,
            "additionalConfig": {
                "node.store.allow_mmap": "false",
                # Of indices that no template of ours knows, such as that of the security plugin's audit.
                "cluster.default_number_of_replicas": str(settings.replicas),
                "plugins.index_state_management.history.number_of_replicas": str(settings.replicas),
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
        "nodePools": [_node_pool(settings)],
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


def _template(index: str, settings: Logs) -> Manifest:
    own = {"index": {"number_of_shards": 1, "number_of_replicas": settings.replicas}}
    spec = {**IN_CLUSTER, "name": "logs", "indexPatterns": [index], "priority": 100, "template": {"settings": own}}
    return manifest(API, "OpensearchIndexTemplate", "logs", NAMESPACE, spec=spec)


def _lifecycle(index: str, settings: Logs) -> Manifest:
    gone = [{"stateName": "delete", "conditions": {"minIndexAge": settings.retention}}]
    spec = {
        **IN_CLUSTER,
        "policyId": "logs",
        "description": f"Indices of logs are deleted after {settings.retention}",
        "defaultState": "hot",
        "applyToExistingIndices": True,
        "ismTemplate": {"indexPatterns": [index], "priority": 100},
        "states": [
            {"name": "hot", "actions": [], "transitions": gone},
            {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
        ],
    }
    return manifest(API, "OpenSearchISMPolicy", "logs", NAMESPACE, spec=spec)

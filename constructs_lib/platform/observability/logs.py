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
from constructs_lib.base.fields import NUMBER
from constructs_lib.base.quantities import Days, Memory, Storage
from constructs_lib.kit import (
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
    cpu_unlimited,
    group,
    kept,
    resources,
    to_api_server,
    webhook,
    workload,
)
from constructs_lib.platform.observability.names import GATEWAY, NAMESPACE
from constructs_lib.platform.observability.opensearch import (
    ADMIN_SECRET,
    API,
    CLUSTER,
    NODE_POOL,
    PORT,
    READER,
    READER_SECRET,
    WRITER,
    WRITER_SECRET,
    cluster,
    index_name,
    lifecycle,
    role,
    template,
    user,
)
from constructs_lib.platform.observability.otlp import Otlp
from constructs_lib.platform.observability.part import Part
from constructs_lib.platform.vault_eso import InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("https://opensearch-project.github.io/opensearch-k8s-operator/", "opensearch-operator", "3.0.2")
# renovate: datasource=docker depName=docker.io/opensearchproject/opensearch-operator
OPERATOR_IMAGE_TAG = "3.0.0-alpha"
"""What chart 3.0.2 was published with; no later image is known (tags of the repository end at v3.0.0-alpha)."""
OPERATOR_PODS = Pods(NAMESPACE, "opensearch-operator", {"app.kubernetes.io/name": "opensearch-operator"})
OWNER_LABEL = "opensearch.org/opensearch-cluster"
NODES = StatefulSet(NAMESPACE, "opensearch", {OWNER_LABEL: CLUSTER}, statefulset=f"{CLUSTER}-{NODE_POOL}")
"""The nodes, and the bootstrap pod that forms the cluster with them."""
SECURITY_JOB = Pods(
    NAMESPACE, "opensearch-security", {"opensearch.org/opensearch-job": f"{CLUSTER}-securityconfig-update"}
)
"""The job that sets up who may log in; until it has, nobody can."""
DASHBOARDS = Pods(NAMESPACE, "opensearch-dashboards", {"opensearch.cluster.dashboards": CLUSTER})
WEBHOOK_LINK = webhook(OPERATOR_PODS, 9443)


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
    nodes: Annotated[
        Literal[1, 3, 5], NUMBER, Change(FREE, smaller=rolls("the nodes that go, whose data moves first"))
    ] = Field(default=1, description="Nodes of OpenSearch.")
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
        yield kept(cluster(env, self.nodes, self.replicas, self.storage, self.memory))
        index = f"{index_name(env)}-*"
        writes = ("create_index", "write", "indices:admin/mapping/put")
        yield role(WRITER, index, ("cluster_composite_ops", "cluster_monitor"), writes)
        yield from user(WRITER, WRITER_SECRET, (WRITER,))
        yield role(READER, index, ("cluster_composite_ops_ro",), ("read",))
        # OpenSearch's own role, with which people use Dashboards.
        yield from user(READER, READER_SECRET, (READER, "kibana_user"))
        yield template(index, self.replicas)
        yield lifecycle(index, self.retention)

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

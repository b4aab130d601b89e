"""What everything else stands on: namespaces, the rights of Flux, closed networks, and CRDs that many charts need.

Upstream: prometheus-community/helm-charts `charts/prometheus-operator-crds` at 31.0.1; pod security standards and
network policies of Kubernetes 1.35.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from constructs_lib.applications import OWNER_LABEL
from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import (
    FLUX_NAMESPACE,
    INTERNET,
    KEEP_IN_HELM,
    ON_SYSTEM_POOL,
    Chart,
    Layer,
    LayerId,
    Link,
    Manifest,
    Operator,
    Release,
    Workload,
    cilium_policies,
    default_policies,
    group,
    link_policies,
    namespace,
    resources,
    workload,
)
from constructs_lib.platform.baseline import admission, health
from constructs_lib.platform.baseline.rights import rights
from constructs_lib.platform.component import Component
from constructs_lib.platform.scrape import MONITORING

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CRDS_CHART = Chart("oci://ghcr.io/prometheus-community/charts", "prometheus-operator-crds", "31.0.1")
NAMESPACES = LayerId("baseline", "namespaces")
RBAC = LayerId("baseline", "rbac")
NETWORK_POLICIES = LayerId("baseline", "network-policies")
CRDS = LayerId("baseline", "crds")
BASELINE = (NETWORK_POLICIES, CRDS)
"""What every other component comes after."""


class Baseline(Component):
    """Namespaces, rights, network policies and shared CRDs.

    ```yaml
    baseline:
      extra_values: {prometheus-operator-crds: {crds: {annotations: {team: platform}}}}
    ```
    """

    operators: ClassVar = (Operator(CRDS_CHART.name, groups=(group(MONITORING),)),)

    @model_validator(mode="after")
    def _stays_on(self) -> Self:
        if not self.enabled:
            raise ValueError("enabled must be true: every other component stands on the baseline")
        return self

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespaces of the applications."""
        for app in env.applications.values():
            item = namespace(app.name, app.pod_security, why=app.why_privileged or "", part_of="apps")
            item["metadata"]["labels"][OWNER_LABEL] = app.owner
            yield item

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield what applications reach outside of the cluster, and which of each other."""
        for app in env.applications.values():
            if app.outside:
                yield Link(app.pods, INTERNET, app.outside)
            for other in (env.applications[name] for name in app.reached.calls):
                if other.ports and not other.retired:
                    yield Link(app.pods, other.pods, other.ports)

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of Flux (flux-operator v0.58.1 `config/data/flux/v2.9.4`, and its chart)."""
        names = ("flux-operator", *(f"{name}-controller" for name in ("helm", "kustomize", "notification", "source")))
        for name in names:
            yield workload(FLUX_NAMESPACE, f"Deployment/{name}", ON_SYSTEM_POOL, resources("100m", "128Mi"))

    def health(self, env: Environment) -> Health:
        """Return what is known about Flux."""
        return health.of()

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield namespaces, then rights and network policies, then the CRDs."""
        namespaces = tuple(env.platform.namespaces(env))
        names = [item["metadata"]["name"] for item in namespaces]
        policies = [policy for name in names for policy in default_policies(name)]
        policies += link_policies(env.platform.links(env), names, env.inside)
        if env.cluster.network_policies == "cilium":
            policies += cilium_policies(env.platform.links(env), names)
        yield Layer(NAMESPACES, namespaces, timeout=Minutes("5m"))
        granted = (*rights(env.applications), *self._refused(env, policies))
        yield Layer(RBAC, granted, after=(NAMESPACES,), timeout=Minutes("5m"))
        yield Layer(
            NETWORK_POLICIES,
            tuple(policies),
            after=(RBAC,),
            timeout=Minutes("5m"),
        )
        values = {"crds": {"annotations": KEEP_IN_HELM}}
        crds = Release(CRDS_CHART.name, FLUX_NAMESPACE, CRDS_CHART, values, stateful=True)
        yield Layer(CRDS, (crds,), after=(RBAC,))

    def _refused(self, env: Environment, policies: list[Manifest]) -> Iterator[Manifest]:
        """Yield what applications may not do, where there are any."""
        apps = env.applications.keys()
        kept = {item["metadata"]["name"] for item in policies if item["metadata"]["namespace"] in apps}
        return admission.policies(env, kept) if apps else iter(())

"""ExternalDNS: writes the records of ingresses into DigitalOcean's DNS. Off unless an environment asks for it.

Upstream: kubernetes-sigs/external-dns external-dns-helm-chart-1.20.0 `charts/external-dns/values.yaml`, the last with
DigitalOcean in the tree; later versions need a webhook provider.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from constructs_lib.base.change import FREE, Change, replaces
from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import (
    HTTPS,
    INTERNET,
    ON_SYSTEM_POOL,
    Chart,
    Deployment,
    Layer,
    LayerId,
    Link,
    Manifest,
    Release,
    Values,
    Workload,
    namespace,
    resources,
    to_api_server,
    workload,
)
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.component import Component
from constructs_lib.platform.external_dns import health
from constructs_lib.platform.scrape import scraped
from constructs_lib.platform.vault_eso import DNS_TOKEN, SECRETS_READY, STORE, InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("https://kubernetes-sigs.github.io/external-dns/", "external-dns", "1.20.0")
CREDENTIALS = LayerId("external-dns", "credentials")
CONTROLLERS = LayerId("external-dns", "controllers")

NAMESPACE = "external-dns"
PODS = Deployment(NAMESPACE, "external-dns", {"app.kubernetes.io/name": "external-dns"}, deployment="external-dns")


class ExternalDns(Component):
    """DNS records from ingresses.

    ```yaml
    external_dns: {enabled: true, policy: upsert-only}
    ```
    """

    enabled: Annotated[bool, Change(FREE, removed=replaces("the component; its records stay"))] = Field(
        default=False, description="Whether the environment has this component."
    )
    policy: Literal["upsert-only", "sync"] = Field(
        default="upsert-only", description="Whether records of ingresses that are gone are removed (sync)."
    )

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespace of ExternalDNS."""
        yield namespace(NAMESPACE)

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways to the API server and to DigitalOcean."""
        yield from to_api_server(PODS)
        yield Link(PODS, INTERNET, HTTPS)
        yield from scraped(env, PODS, 7979)

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the one pod: two would write the same records."""
        for values in env.rendered.values("external-dns"):
            yield workload(NAMESPACE, "Deployment/external-dns", values)

    def health(self, env: Environment) -> Health:
        """Return what is known about DNS records."""
        return health.of(PODS)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the token from Vault, then the chart."""
        token = external_secret(env, DNS_TOKEN, NAMESPACE, InVault(DNS_TOKEN, {"token": "token"}))
        yield Layer(CREDENTIALS, (token,), after=(STORE,), timeout=Minutes("5m"), ready=SECRETS_READY)
        release = Release("external-dns", NAMESPACE, CHART, self._values(env))
        yield Layer(CONTROLLERS, (release,), after=(*BASELINE, CREDENTIALS))

    def _values(self, env: Environment) -> Values:
        token = {"name": DNS_TOKEN, "key": "token"}
        return {
            **ON_SYSTEM_POOL,
            "provider": {"name": "digitalocean"},
            "env": [{"name": "DO_TOKEN", "valueFrom": {"secretKeyRef": token}}],
            "sources": ["ingress"],
            "policy": self.policy,
            "registry": "txt",
            "txtOwnerId": env.cluster.name,
            # A filter has to match the zone itself (external-dns `endpoint/domain_filter.go`).
            "domainFilters": [env.zone],
            # All ingresses lead to this host: for one that names it, the record would be a CNAME onto itself.
            "excludeDomains": [env.ingress_host],
            "resources": resources("20m", "64Mi", "128Mi"),
            "serviceMonitor": {"enabled": env.platform.observability.has_metrics},
        }

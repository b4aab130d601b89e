"""Traefik: the ingress controller behind a load balancer, on DigitalOcean one that it asks for by annotations.

Upstream: traefik/traefik-helm-chart v41.3.0 `traefik/values.yaml`; annotations from
digitalocean/digitalocean-cloud-controller-manager `docs/controllers/services/annotations.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import (
    ANYWHERE,
    ON_SYSTEM_POOL,
    Chart,
    Deployment,
    Layer,
    LayerId,
    Link,
    Manifest,
    Operator,
    Pods,
    Release,
    Values,
    Workload,
    at,
    manifest,
    namespace,
    resources,
    spread,
    to_api_server,
    workload,
)
from constructs_lib.platform import cert_manager
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.component import Component
from constructs_lib.platform.scrape import scraped
from constructs_lib.platform.traefik import health
from constructs_lib.platform.traefik.load_balancer import LoadBalancer

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("https://traefik.github.io/charts", "traefik", "41.3.0")
CONTROLLERS = LayerId("traefik", "controllers")
CONFIGS = LayerId("traefik", "configs")

NAMESPACE = cert_manager.INGRESS
PODS = Deployment(NAMESPACE, "traefik", {"app.kubernetes.io/name": "traefik"}, deployment="traefik")
LEAVING_SECONDS = 30
"""How long a pod that ends still serves: longer than the balancer takes to see that its node has no other pod (three
checks, three seconds apart and of up to five seconds each). Requests in flight then have as long again."""
LOAD_BALANCER = "service.beta.kubernetes.io/do-loadbalancer"


class Traefik(Component):
    """The ingress of the environment.

    ```yaml
    traefik:
      replicas: 2
      load_balancer_size: 2
    ```
    """

    operators: ClassVar = (Operator(CHART.name, groups=("traefik.io",)),)

    replicas: int = Field(default=2, ge=1, le=50, description="Pods.")
    load_balancer_size: int = Field(default=1, ge=1, le=200, description="Size unit of the DigitalOcean load balancer.")

    requests_per_second: int = Field(
        default=100, ge=1, description="Average rate that the middleware `rate-limit` allows each client address."
    )

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespace of Traefik."""
        yield namespace(NAMESPACE)

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways in from anywhere and on to the applications and to the solvers of HTTP-01 challenges."""
        yield Link(ANYWHERE, PODS, (8000, 8443))
        yield from to_api_server(PODS)
        yield from scraped(env, PODS, 9100)
        for app in env.applications.values():
            if app.public_ports:
                yield Link(PODS, app.pods, app.public_ports)
        for name in env.platform.cert_manager.solved(env):
            yield Link(PODS, Pods(name, "acme-solver", cert_manager.SOLVER_LABELS), (8089,))

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of Traefik."""
        for values in env.rendered.values("traefik"):
            yield workload(NAMESPACE, "Deployment/traefik", values, pods=at(values, "deployment.replicas"))

    def health(self, env: Environment) -> Health:
        """Return what is known about the ingress."""
        return health.of(PODS)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the chart, then the TLS options and middlewares."""
        release = Release("traefik", NAMESPACE, CHART, self._values(env))
        yield Layer(CONTROLLERS, (release,), after=BASELINE)
        objects = [_tls_options(), _security_headers(), self._rate_limit()]
        if env.platform.cert_manager.enabled:
            objects.append(_default_certificate())
        yield Layer(CONFIGS, tuple(objects), after=(CONTROLLERS,), timeout=Minutes("5m"))

    def _values(self, env: Environment) -> Values:
        front = self._front(env)
        trusted = {"trustedIPs": list(map(str, front.proxies))}
        behind_proxy: Values = {"proxyProtocol": trusted, "forwardedHeaders": trusted} if front.proxies else {}
        has_metrics = env.platform.observability.has_metrics
        to_https = {"to": "websecure", "scheme": "https", "permanent": True}
        return {
            **ON_SYSTEM_POOL,
            "deployment": {
                "replicas": self.replicas,
                "lifecycle": {"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}},
                "terminationGracePeriodSeconds": 2 * LEAVING_SECONDS,
            },
            "podDisruptionBudget": {"enabled": True, "minAvailable": 1} if self.replicas > 1 else {"enabled": False},
            "topologySpreadConstraints": spread(**PODS.labels),
            "resources": resources("100m", "128Mi", "256Mi"),
            "api": {"dashboard": False},
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "ingressClass": {"enabled": True, "isDefaultClass": True, "name": cert_manager.INGRESS},
            "ports": {
                "web": {**behind_proxy, "http": {"redirections": {"entryPoint": to_https}}},
                "websecure": {**behind_proxy, "http": {"tls": {"enabled": True}}},
            },
            "metrics": {
                "prometheus": {
                    "service": {"enabled": has_metrics},
                    "serviceMonitor": {"enabled": has_metrics},
                }
            },
            "service": _service(front),
            "log": {"format": "json"},
            "accessLog": {"enabled": True, "format": "json"},
        }

    def _rate_limit(self) -> Manifest:
        rate = {"average": self.requests_per_second, "burst": 2 * self.requests_per_second, "period": "1s"}
        return manifest("traefik.io/v1alpha1", "Middleware", "rate-limit", NAMESPACE, spec={"rateLimit": rate})

    def _front(self, env: Environment) -> LoadBalancer:
        """Return what stands in front: what an existing cluster says, or DigitalOcean's balancer.

        There PROXY protocol needs a REGIONAL one, and its host name, or calls from inside the cluster fail.
        """
        if env.cluster.provider == "existing":
            return env.cluster.load_balancer
        annotations = {
            f"{LOAD_BALANCER}-name": env.balancer,
            f"{LOAD_BALANCER}-type": "REGIONAL",
            f"{LOAD_BALANCER}-size-unit": str(self.load_balancer_size),
            f"{LOAD_BALANCER}-enable-proxy-protocol": "true",
            f"{LOAD_BALANCER}-hostname": env.ingress_host,
        }
        return LoadBalancer(annotations=annotations, proxies=(env.vpc_range,))


def _service(front: LoadBalancer) -> Values:
    kind = {} if front.service == "LoadBalancer" else {"type": front.service}
    return {"annotations": front.annotations, "spec": {"externalTrafficPolicy": "Local"}, **kind}


def _tls_options() -> Manifest:
    # Without `sniStrict`: an ACME HTTP-01 challenge is redirected here before its host has a certificate.
    return manifest("traefik.io/v1alpha1", "TLSOption", "default", NAMESPACE, spec={"minVersion": "VersionTLS12"})


def _default_certificate() -> Manifest:
    """What Traefik serves where an ingress names no certificate; until it is issued, Traefik serves its own."""
    spec = {"defaultCertificate": {"secretName": cert_manager.DEFAULT_SECRET}}
    return manifest("traefik.io/v1alpha1", "TLSStore", "default", NAMESPACE, spec=spec)


def _security_headers() -> Manifest:
    headers = {
        "stsSeconds": 31536000,
        "stsIncludeSubdomains": True,
        "contentTypeNosniff": True,
        "frameDeny": True,
        "referrerPolicy": "strict-origin-when-cross-origin",
    }
    return manifest("traefik.io/v1alpha1", "Middleware", "security-headers", NAMESPACE, spec={"headers": headers})

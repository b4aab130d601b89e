"""cert-manager and its issuers: certificates from Let's Encrypt.

Upstream: cert-manager v1.21.1, `deploy/charts/cert-manager/values.yaml` and its `values.schema.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from constructs_lib.component import Chart, Component, Layer, LayerId, Manifest, Release, Values
from constructs_lib.fields import Email
from constructs_lib.objects import manifest, namespace
from constructs_lib.placement import ON_SYSTEM_POOL, resources, spread

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

CHART = Chart("oci://quay.io/jetstack/charts", "cert-manager", "v1.21.1")
CONTROLLERS = LayerId("cert-manager", "controllers")
ISSUERS = LayerId("cert-manager", "issuers")

NAMESPACE = "cert-manager"
ACME = {
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "letsencrypt-production": "https://acme-v02.api.letsencrypt.org/directory",
}


class CertManager(Component):
    """Certificates for the environment.

    ```yaml
    cert_manager:
      replicas: 2
      acme_email: platform@example.org
      issuer: letsencrypt-production
    ```
    """

    replicas: int = Field(default=2, ge=1, le=9, description="Pods of the controller, the webhook and the CA injector.")
    acme_email: Email | None = Field(default=None, description="Where Let's Encrypt sends warnings about expiry.")
    issuer: Literal["letsencrypt-staging", "letsencrypt-production"] = Field(
        default="letsencrypt-staging", description="The ClusterIssuer that ingresses use unless they name another."
    )

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the chart, then the ClusterIssuers."""
        release = Release("cert-manager", NAMESPACE, CHART, self._values(), stateful=True)
        yield Layer(CONTROLLERS, (namespace(NAMESPACE), release))
        issuers = tuple(self._issuer(name, server) for name, server in ACME.items())
        yield Layer(ISSUERS, issuers, after=(CONTROLLERS,), timeout="5m")

    def _values(self) -> Values:
        pods: Values = {
            **ON_SYSTEM_POOL,
            "replicaCount": self.replicas,
            "podDisruptionBudget": {"enabled": self.replicas > 1},
        }
        return {
            **pods,
            "crds": {"enabled": True, "keep": True},
            "global": {"leaderElection": {"namespace": NAMESPACE}},
            "resources": resources("50m", "128Mi"),
            "topologySpreadConstraints": _spread("controller"),
            "webhook": {
                **pods,
                # DigitalOcean refuses to upgrade a cluster with webhooks that may take 30 s (digitalocean/clusterlint).
                "timeoutSeconds": 10,
                "resources": resources("20m", "64Mi"),
                "topologySpreadConstraints": _spread("webhook"),
            },
            "cainjector": {
                **pods,
                "resources": resources("20m", "256Mi"),
                "topologySpreadConstraints": _spread("cainjector"),
            },
            "startupapicheck": {**ON_SYSTEM_POOL, "resources": resources("10m", "64Mi")},
        }

    def _issuer(self, name: str, server: str) -> Manifest:
        acme: Manifest = {
            "server": server,
            "privateKeySecretRef": {"name": f"{name}-account"},
            "solvers": [{"http01": {"ingress": {"ingressClassName": "traefik"}}}],
        }
        if self.acme_email is not None:
            acme["email"] = self.acme_email
        return manifest("cert-manager.io/v1", "ClusterIssuer", name, spec={"acme": acme})


def _spread(component: str) -> list[Manifest]:
    return spread(**{"app.kubernetes.io/instance": "cert-manager", "app.kubernetes.io/component": component})

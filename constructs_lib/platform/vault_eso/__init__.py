"""External Secrets: brings secrets from Vault into the cluster, among them the age key for what SOPS encrypted.

Upstream: external-secrets/external-secrets helm-chart-2.9.0 `deploy/charts/external-secrets/values.yaml` and
`docs/provider/hashicorp-vault.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import (
    IS_READY,
    KEEP_IN_HELM,
    SYSTEM_NODE_SELECTOR,
    SYSTEM_TOLERATIONS,
    Chart,
    Deployment,
    Layer,
    LayerId,
    Link,
    Manifest,
    Operator,
    Pods,
    Ready,
    Release,
    Values,
    Workload,
    at,
    namespace,
    resources,
    spread,
    to_api_server,
    ways_to,
    webhook,
    workload,
)
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.component import Component
from constructs_lib.platform.scrape import scraped
from constructs_lib.platform.vault_eso import health
from constructs_lib.platform.vault_eso.store import (
    AGE_KEY_SECRET,
    API,
    FLUX_STORE,
    NAMESPACE,
    PLATFORM_STORE,
    STORES,
    InVault,
    age_key,
    external_secret,
    login,
    published_contract,
    stores,
    vault_role,
)

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

__all__ = ["AGE_KEY_SECRET", "FLUX_STORE", "PLATFORM_STORE", "STORES", "InVault", "external_secret", "vault_role"]
"""What others know of `store` by the component's name."""

CHART = Chart(
    "oci://ghcr.io/external-secrets/charts",
    "external-secrets",
    "2.9.0",
    signed_by="external-secrets/external-secrets/.github/workflows/helm.yml@refs/heads/main",
)
CONTROLLERS = LayerId("secrets", "controllers")
STORE = LayerId("secrets", "store")
SEALED = LayerId("secrets", "sealed")

DNS_TOKEN = "digitalocean-dns"  # noqa: S105 - a name, in Vault and of each Secret

CONTROLLER = Deployment(
    NAMESPACE, "controller", {"app.kubernetes.io/name": "external-secrets"}, deployment="external-secrets"
)
WEBHOOK = Pods(NAMESPACE, "webhook", {"app.kubernetes.io/name": "external-secrets-webhook"})
CERT_CONTROLLER = Pods(NAMESPACE, "cert-controller", {"app.kubernetes.io/name": "external-secrets-cert-controller"})
WEBHOOK_LINK = webhook(WEBHOOK, 10250)
OPERATOR = Operator(CHART.name, groups=("external-secrets.io",), webhook=WEBHOOK_LINK)

SECRETS_READY = (Ready(API, "ExternalSecret", IS_READY),)
"""What a layer with ExternalSecrets waits for."""
STORES_READY = (Ready(API, "ClusterSecretStore", IS_READY), Ready(API, "SecretStore", IS_READY))
"""What a layer with stores of applications waits for."""


class VaultEso(Component):
    """Secrets from Vault, as the environment's `vault` contract says.

    ```yaml
    vault_eso: {replicas: 2}
    ```
    """

    operators: ClassVar = (OPERATOR,)

    replicas: int = Field(default=2, ge=1, le=9, description="Pods of the controller and of the webhook.")

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespace of External Secrets."""
        yield namespace(NAMESPACE)

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways to Vault, of applications too that use it, to the API server and to the webhook."""
        vault = (urlsplit(env.vault.address).port or 443,)
        users = (app.pods for app in env.applications.values() if app.reached.vault)
        yield from ways_to(env.vault.inside, vault, CONTROLLER, *users)
        yield from to_api_server(CONTROLLER, WEBHOOK, CERT_CONTROLLER)
        yield WEBHOOK_LINK
        yield Link(CERT_CONTROLLER, WEBHOOK, (8081, 10250))
        for pods in (CONTROLLER, WEBHOOK, CERT_CONTROLLER):
            yield from scraped(env, pods, 8080)

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the chart's pods."""
        for values in env.rendered.values("external-secrets"):
            parts = {"": values, "-webhook": at(values, "webhook"), "-cert-controller": at(values, "certController")}
            for suffix, part in parts.items():
                yield workload(NAMESPACE, f"Deployment/external-secrets{suffix}", part, pods=at(part, "replicaCount"))

    def health(self, env: Environment) -> Health:
        """Return what is known about the secrets that come from Vault."""
        return health.of(CONTROLLER)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the chart, the stores with the age key, then the layer of what SOPS encrypted."""
        release = Release("external-secrets", NAMESPACE, CHART, self._values(env), stateful=True)
        yield Layer(CONTROLLERS, (release,), after=BASELINE)
        ready = (Ready(API, "ClusterSecretStore", IS_READY), *SECRETS_READY)
        objects = (*login(env), *stores(env), age_key(env), *published_contract(env))
        yield Layer(STORE, objects, after=(CONTROLLERS,), timeout=Minutes("5m"), ready=ready)
        yield Layer(SEALED, after=(STORE,), timeout=Minutes("5m"), sealed=True)

    def _values(self, env: Environment) -> Values:
        def pods(name: str, replicas: int) -> Values:
            return {
                "replicaCount": replicas,
                "podDisruptionBudget": {"enabled": replicas > 1},
                "topologySpreadConstraints": spread(**{"app.kubernetes.io/name": name}),
                "nodeSelector": SYSTEM_NODE_SELECTOR,
                "tolerations": SYSTEM_TOLERATIONS,
            }

        return {
            **pods("external-secrets", self.replicas),
            "installCRDs": True,
            "crds": {"annotations": KEEP_IN_HELM},
            "leaderElect": True,
            "processClusterExternalSecret": False,
            "processClusterPushSecret": False,
            "processPushSecret": False,
            # Tokens are made for the stores' accounts alone, see `login`.
            "rbac": {"serviceAccountTokenCreate": False},
            "resources": resources("50m", "128Mi", "256Mi"),
            "serviceMonitor": {"enabled": env.platform.observability.has_metrics},
            "webhook": {**pods("external-secrets-webhook", self.replicas), "resources": resources("20m", "64Mi")},
            "certController": {
                **pods("external-secrets-cert-controller", 1),
                "resources": resources("20m", "128Mi"),
            },
        }

"""cert-manager and its issuers: certificates from Let's Encrypt, and from a CA of the cluster's own.

Upstream: cert-manager v1.21.1, `deploy/charts/cert-manager/values.yaml` and its `values.schema.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.change import FREELY
from constructs_lib.base.fields import Email, HttpsUrl
from constructs_lib.base.quantities import Minutes
from constructs_lib.health import Health
from constructs_lib.kit import (
    DNS_PORTS,
    INTERNET,
    IS_READY,
    Layer,
    LayerId,
    Link,
    Manifest,
    Operator,
    Ready,
    Release,
    Workload,
    at,
    manifest,
    namespace,
    resources,
    to_api_server,
    workload,
)
from constructs_lib.platform.baseline import BASELINE
from constructs_lib.platform.cert_manager import health
from constructs_lib.platform.cert_manager.acme import (
    ACCOUNT_KEY,
    ACCOUNT_SECRET,
    ACME,
    AcmeStage,
    DigitalOcean,
    DnsChallenge,
    ExternalAccount,
)
from constructs_lib.platform.cert_manager.chart import (
    CA_INJECTOR,
    CHART,
    CONTROLLER,
    STARTUP_CHECK,
    WEBHOOK,
    WEBHOOK_LINK,
    chart_values,
)
from constructs_lib.platform.cert_manager.internal import (
    API,
    CA_FILE,
    CA_VOLUME,
    INTERNAL_CA,
    NAMESPACE,
    TRUSTED_CA,
    certificate,
    internal_ca,
    issuer_ref,
    trusted_ca,
)
from constructs_lib.platform.component import Component
from constructs_lib.platform.scrape import scraped
from constructs_lib.platform.vault_eso import SECRETS_READY, STORE, InVault, external_secret

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

__all__ = ["CA_FILE", "CA_VOLUME", "INTERNAL_CA", "TRUSTED_CA", "certificate", "trusted_ca"]
"""What others know of `internal` by the component's name."""

CONTROLLERS = LayerId("cert-manager", "controllers")
ISSUERS = LayerId("cert-manager", "issuers")
CERTIFICATES = LayerId("cert-manager", "certificates")

DEFAULT_SECRET = "default-tls"  # noqa: S105 - a name
INGRESS = "traefik"
"""The namespace and the class of the ingress, beside which its default certificate lies."""
ISSUER_ANNOTATION = "cert-manager.io/cluster-issuer"
"""On an Ingress: whose certificates its hosts get, in the Secrets that it names."""
SOLVER_LABELS = {"acme.cert-manager.io/http01-solver": "true"}
LEAVE_OUT = {"servers": "leave it out", "external_account": "leave it out", "dns_challenge": "set it to null"}
CERTIFICATES_READY = (Ready(API, "Certificate", IS_READY),)
"""What a layer with Certificates waits for."""
OPERATOR = Operator(CHART.name, groups=("cert-manager.io", "acme.cert-manager.io"), webhook=WEBHOOK_LINK)


class CertManager(Component):
    """Certificates for the environment.

    ```yaml
    cert_manager:
      replicas: 2
      acme_email: platform@example.org
      issuer: letsencrypt-production
      dns_challenge: {provider: digitalocean}
    ```
    """

    operators: ClassVar = (OPERATOR,)

    replicas: int = Field(default=2, ge=1, le=9, description="Pods of the controller, the webhook and the CA injector.")
    acme_email: Annotated[Email | None, FREELY] = Field(
        default=None, description="Where Let's Encrypt sends warnings about expiry."
    )
    issuer: AcmeStage | Literal["internal-ca"] = Field(
        default="letsencrypt-staging",
        description="The ClusterIssuer of the environment's own certificate; internal-ca asks nobody outside.",
    )
    servers: Annotated[dict[AcmeStage, HttpsUrl], COMMON] = Field(
        default_factory=dict, description="ACME servers in the place of Let's Encrypt's, by the name of the issuer."
    )
    external_account: ExternalAccount | None = Field(
        default=None, description="The account at an ACME server that knows its customers."
    )
    dns_challenge: DnsChallenge | None = Field(
        default=DigitalOcean(),
        description="Prove the domain by DNS (credentials from Vault), as a wildcard certificate needs; null for HTTP.",
    )

    @model_validator(mode="after")
    def _asks_nobody_by_halves(self) -> Self:
        if self.asks_acme:
            return self
        for key in ("servers", "external_account", "dns_challenge"):
            if getattr(self, key):
                raise ValueError(f"{key} is for an ACME server, and issuer internal-ca asks none; {LEAVE_OUT[key]}")
        return self

    @property
    def asks_acme(self) -> bool:
        """Whether an ACME server signs the environment's certificates."""
        return self.issuer != INTERNAL_CA

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespace of cert-manager."""
        yield namespace(NAMESPACE)

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield the ways to the API server, to Let's Encrypt, and of a challenge's own check by HTTP and DNS."""
        yield from to_api_server(CONTROLLER, WEBHOOK, CA_INJECTOR, STARTUP_CHECK)
        yield WEBHOOK_LINK
        if self.asks_acme:
            yield Link(CONTROLLER, INTERNET, (80, 443))
            yield Link(CONTROLLER, INTERNET, DNS_PORTS)
        for pods in (CONTROLLER, WEBHOOK, CA_INJECTOR):
            yield from scraped(env, pods, 9402)

    def solved(self, env: Environment) -> Iterator[str]:
        """Yield the namespaces whose certificates are proven by HTTP-01, where a pod answers for a while."""
        if self.enabled and self.asks_acme and env.platform.traefik.enabled:
            yield from (app.name for app in env.applications.values() if app.public)
            if self.dns_challenge is None:
                yield INGRESS

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the chart's pods, and those that answer an HTTP-01 challenge (`pkg/issuer/acme/http/pod.go`)."""
        for values in env.rendered.values("cert-manager"):
            parts = {"": values, "-webhook": at(values, "webhook"), "-cainjector": at(values, "cainjector")}
            for suffix, part in parts.items():
                yield workload(NAMESPACE, f"Deployment/cert-manager{suffix}", part, pods=at(part, "replicaCount"))
            check = at(values, "startupapicheck")
            yield workload(NAMESPACE, "Job/cert-manager-startupapicheck", check, passing=True)
        for name in self.solved(env):
            yield workload(name, "Pod/cm-acme-http-solver", {}, resources("10m", "64Mi"), passing=True)

    def health(self, env: Environment) -> Health:
        """Return what is known about certificates."""
        return health.of(CONTROLLER)

    def build(self, env: Environment) -> Iterator[Layer]:
        """Yield the chart, the issuers with the CA for applications, then a certificate that nothing waits for."""
        release = Release(
            "cert-manager",
            NAMESPACE,
            CHART,
            chart_values(self.replicas, has_metrics=env.platform.observability.has_metrics),
            stateful=True,
        )
        yield Layer(CONTROLLERS, (release,), after=BASELINE)
        ready = (Ready(API, "ClusterIssuer", IS_READY), *CERTIFICATES_READY, *SECRETS_READY)
        yield Layer(ISSUERS, tuple(self._issuers(env)), after=(CONTROLLERS, STORE), timeout=Minutes("5m"), ready=ready)
        if env.platform.traefik.enabled:
            yield Layer(
                CERTIFICATES,
                (self._default(env),),
                after=(ISSUERS,),
                timeout=Minutes("15m"),
                ready=CERTIFICATES_READY,
                blocks_apps=False,
            )

    def _issuers(self, env: Environment) -> Iterator[Manifest]:
        for name, server in (ACME | self.servers).items() if self.asks_acme else ():
            yield self._acme(env, name, server)
        yield from internal_ca(env)
        for name in env.applications:
            yield trusted_ca(name)
        if self.dns_challenge is not None:
            yield external_secret(env, self.dns_challenge.secret, NAMESPACE, self.dns_challenge.entry)
        if self.external_account is not None:
            yield external_secret(env, ACCOUNT_SECRET, NAMESPACE, InVault(ACCOUNT_SECRET, {ACCOUNT_KEY: ACCOUNT_KEY}))

    def _acme(self, env: Environment, name: str, server: str) -> Manifest:
        solvers: list[Manifest] = [{"http01": {"ingress": {"ingressClassName": INGRESS}}}]
        if self.dns_challenge is not None:
            solvers.append({"selector": {"dnsNames": _wildcard_names(env)}, "dns01": self.dns_challenge.solver()})
        acme: Manifest = {"server": server, "privateKeySecretRef": {"name": f"{name}-account"}, "solvers": solvers}
        if self.acme_email is not None:
            acme["email"] = self.acme_email
        if self.external_account is not None:
            acme["externalAccountBinding"] = self.external_account.binding()
        return manifest(API, "ClusterIssuer", name, spec={"acme": acme})

    def _default(self, env: Environment) -> Manifest:
        """The certificate lies beside Traefik, which serves it where an ingress names none.

        Without DNS-01 it is for the ingress' own host alone, so that there is one that answers with a certificate.
        """
        names = _wildcard_names(env) if self.dns_challenge else [env.ingress_host]
        return self._of_hosts("default", INGRESS, DEFAULT_SECRET, names)

    def of_host(self, name: str, namespace: str, secret: str, host: str) -> Manifest:
        """Return the certificate of a host of an application, in a Secret of its namespace.

        Where an ACME server signs, the Ingress asks for it; that an application asks the internal CA for a host's
        name is refused, by whatever way it does (`admission.py`), so the platform does.
        """
        return self._of_hosts(name, namespace, secret, [host])

    def _of_hosts(self, name: str, namespace: str, secret: str, hosts: list[str]) -> Manifest:
        spec = {
            "secretName": secret,
            "dnsNames": hosts,
            "issuerRef": issuer_ref(self.issuer),
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        }
        return manifest(API, "Certificate", name, namespace, spec=spec)


def _wildcard_names(env: Environment) -> list[str]:
    """The names that need DNS-01; all others are proven by HTTP-01."""
    return [env.domain, f"*.{env.domain}"]

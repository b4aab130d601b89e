"""The contract of an application: one entry says what it is, what it uses, and who answers for it.

Which fields: score-spec/spec `score-v1b1.json` (resources, service ports), linode/apl-core `values-schema.yaml` (teams:
quota, services, network policy), defenseunicorns/uds-core `Package` (expose, allow, monitor), cozystack `Tenant`
(quotas). What they leave to a second file, credentials and alerts, is here too (docs/decisions/0044-applications.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from constructs_lib.applications.uses import OwnDatabase, OwnVhost, Uses
from constructs_lib.base.belonging import COMMON
from constructs_lib.base.bucket import AppBucket
from constructs_lib.base.change import FREE, FREELY, Change, Rule, replaces, rolls, steps
from constructs_lib.base.fields import Cpu, Name, Port, UrlPath
from constructs_lib.base.github_fields import GitHubName
from constructs_lib.base.quantities import Memory, Storage
from constructs_lib.base.settings import Settings
from constructs_lib.health import Percent
from constructs_lib.kit import FLUX_NAMESPACE, Pods, PodSecurity

__all__ = ["Application", "Applications", "Host", "Objectives", "OwnDatabase", "OwnVhost", "Quota", "Uses"]

STANDARDS: tuple[PodSecurity, ...] = ("privileged", "baseline", "restricted")
"""From the one that asks for nothing to the strictest (kubernetes.io, "Pod Security Standards")."""
REFUSED_ANEW = "pods that do not meet it: they are refused when they start anew"
OWNER_LABEL = "platform/owner"
"""The label of an application's namespace with the team that answers for it."""


def another_standard(old: PodSecurity, new: PodSecurity) -> Rule:
    """A stricter standard refuses pods that do not meet it, once they start anew; a laxer one opens the namespace."""
    if STANDARDS.index(new) > STANDARDS.index(old):
        return replaces(REFUSED_ANEW)
    return rolls("what pods may ask for: it is more")


class Host(Settings):
    """A name by which an application answers: `<key>.<domain>` outside, its Service inside."""

    port: Annotated[Port, Change(replaces("the way in: pods are reached on the new port alone"))] = Field(
        examples=[8080], description="Port of its pods, and of the Service before them."
    )
    public: Annotated[bool, Change(FREE, removed=replaces("the host, its certificate and its record"))] = Field(
        default=True,
        description="Whether it has an Ingress, a certificate and a record; if not, those that call it get there.",
    )
    service: Annotated[Name | None, COMMON, Change(rolls("where the Ingress leads"))] = Field(
        default=None,
        description="The Service before these pods; named like the application unless given.",
    )


class PodMetrics(Settings):
    """Where its pods tell Prometheus about themselves."""

    port: Port = Field(examples=[9090])
    path: UrlPath = "/metrics"


SHRINKS = Change(FREE, smaller=replaces("pods and claims beyond it: they are refused when they are made anew"))


class Quota(Settings):
    """The most that its pods and volumes may ask for together."""

    cpu: Annotated[Cpu, SHRINKS] = Field(default="1", description="CPU that pods request.")
    memory: Annotated[Memory, SHRINKS] = Field(
        default=Memory("2Gi"), description="Memory that pods request, and their limits."
    )
    storage: Annotated[Storage, SHRINKS] = Field(default=Storage("10Gi"), description="Volumes.")


BOUNDS = (0.1, 0.3, 1.2, 5.0)
"""The bounds of Traefik's histograms, in seconds (traefik v3.7, `metrics.prometheus.buckets`)."""


def _bound(seconds: float) -> float:
    if seconds in BOUNDS:
        return seconds
    known = ", ".join(f"{bound:g}" for bound in BOUNDS)
    raise ValueError(f"must be one of {known}, which Traefik counts, found {seconds:g}")


class Quick(Settings):
    """How many requests are answered in time."""

    seconds: Annotated[float, AfterValidator(_bound)] = Field(
        examples=[0.3], description="One of the bounds of Traefik's histogram: 0.1, 0.3, 1.2 or 5."
    )
    percent: Percent = Field(examples=[95])


class Objectives(Settings):
    """What its public hosts keep to, as Traefik sees it; its owner hears when they do not."""

    availability: Percent | None = Field(
        default=None, examples=[99.5], description="Percent of requests that are not answered with an error (5xx)."
    )
    latency: Quick | None = None


def _not_of_the_cluster(name: str) -> str:
    if name in ("default", FLUX_NAMESPACE) or name.startswith("kube-"):
        raise ValueError(
            f"'{name}' belongs to Kubernetes or Flux, which default-deny would cut off; choose another name"
        )
    return name


AppName = Annotated[Name, AfterValidator(_not_of_the_cluster)]
"""A namespace that is not Kubernetes' own; one of the platform's is refused where both are made."""


class Application(Settings):
    """An application: a namespace that is closed but for what is named here, and for telemetry.

    ```yaml
    applications:
      episodic:
        owner: team-episodic
        hosts: {www: {port: 8080}}
        uses:
          postgres: {main: {}}
          secrets: {stripe: [api_key]}
          reaches: {api.stripe.com: 443}
    ```
    """

    _name: str = PrivateAttr(default="")

    owner: Annotated[GitHubName, COMMON, FREELY] = Field(
        max_length=63, description="The team of GitHub that answers for it: it reviews, and hears of alerts."
    )
    hosts: Annotated[dict[Name, Host], COMMON, Change(FREE, removed=replaces("the host, with its way in"))] = Field(
        default_factory=dict, description="Where it answers, by the label before the environment's domain."
    )
    uses: Annotated[Uses, Change(rolls("what the application no longer reaches"), added=FREE)] = Uses()
    metrics: Annotated[PodMetrics | None, FREELY] = None
    quota: Annotated[Quota, FREELY] = Quota()
    slo: Annotated[Objectives | None, FREELY] = None
    pod_security: Annotated[PodSecurity, Change(FREE, judge=another_standard)] = Field(
        default="restricted", description="The standard that its pods have to meet."
    )
    why_privileged: Annotated[str | None, FREELY] = Field(
        default=None,
        examples=["reads the logs of each node"],
        description="The reason for privileged pods, which they ask for.",
    )
    retired: Annotated[
        bool, Change(FREE, added=rolls("the application, which nobody reaches any more and which reaches nothing"))
    ] = Field(default=False, description="Whether it is closed, as it has to be before it leaves the file.")

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if (self.pod_security == "privileged") != bool(self.why_privileged):
            raise ValueError(
                f"why_privileged belongs to pod_security privileged, found {self.pod_security}; set both or neither"
            )
        if self.slo is not None and not any(host.public for host in self.hosts.values()):
            raise ValueError("slo is measured where Traefik lets requests in, and no host is public; add one")
        return self

    def named(self, name: str) -> Self:
        """Return it with the name that it has in the file, which is its key there; it is its namespace too."""
        self._name = name
        return self

    @property
    def name(self) -> str:
        """Its name, which its namespace and its Flux Kustomization have too."""
        return self._name

    @property
    def pods(self) -> Pods:
        """All pods of the namespace."""
        return Pods(self.name, "apps")

    @property
    def public(self) -> dict[str, Host]:
        """The hosts that the outside reaches."""
        return {} if self.retired else {name: host for name, host in self.hosts.items() if host.public}

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports on which its pods answer those that call it."""
        return tuple(sorted({host.port for host in self.hosts.values()}))

    @property
    def public_ports(self) -> tuple[int, ...]:
        """The ports on which the ingress reaches its pods."""
        return tuple(sorted({host.port for host in self.public.values()}))

    @property
    def outside(self) -> tuple[int, ...]:
        """The ports that it reaches outside of the cluster: of hosts that it names, and of Spaces for its buckets."""
        spaces = {443} if self.reached.bucket else set[int]()
        return tuple(sorted({*self.reached.reaches.values(), *spaces}))

    @property
    def reached(self) -> Uses:
        """What it uses while it is open; nothing once it is retired."""
        return Uses() if self.retired else self.uses

    @property
    def buckets(self) -> tuple[AppBucket, ...]:
        """What its buckets are for, which stay when it is retired."""
        return tuple(AppBucket(self.name, name, one.access, self.retired) for name, one in self.uses.bucket.items())

    @property
    def account(self) -> str:
        """Its name in servers, as its role and its user there: Postgres takes no hyphen without quotes."""
        return self.name.replace("-", "_")


def _named(applications: Mapping[str, Application]) -> dict[str, Application]:
    return {name: application.named(name) for name, application in applications.items()}


Applications = Annotated[
    dict[AppName, Application],
    AfterValidator(_named),
    COMMON,
    Change(
        FREE,
        removed=steps(
            "its namespace and its data stay, without anybody who answers for them; retire it first",
            "retire-data",
            after=("retired", True),
            done=replaces("the application's access; its namespace and its data stay until somebody deletes them"),
        ),
    ),
]
"""Applications by their names."""

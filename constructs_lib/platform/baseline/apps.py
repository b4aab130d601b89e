"""Applications as the platform knows them: their namespaces, and which of its services each of them uses."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.change import FREE, FREELY, Change, Rule, replaces, rolls
from constructs_lib.base.fields import Name, ServiceName
from constructs_lib.base.settings import Settings
from constructs_lib.kit import FLUX_NAMESPACE, Pods, PodSecurity


def _not_of_the_cluster(name: str) -> str:
    if name in ("default", FLUX_NAMESPACE) or name.startswith("kube-"):
        raise ValueError(
            f"'{name}' belongs to Kubernetes or Flux, which default-deny would cut off; choose another name"
        )
    return name


AppName = Annotated[Name, AfterValidator(_not_of_the_cluster)]
"""A namespace that is not Kubernetes' own; one of the platform's is refused where both are made."""


class Uses(Settings):
    """The services of the platform that an application reaches, each by the name of its cluster."""

    postgres: Annotated[tuple[ServiceName, ...], COMMON] = ()
    rabbitmq: Annotated[tuple[ServiceName, ...], COMMON] = ()
    valkey: Annotated[tuple[ServiceName, ...], COMMON] = ()
    vault: bool = Field(default=False, description="Whether its pods log in to Vault themselves.")


STANDARDS: tuple[PodSecurity, ...] = ("privileged", "baseline", "restricted")
"""From the one that asks for nothing to the strictest (kubernetes.io, "Pod Security Standards")."""


def another_standard(old: PodSecurity, new: PodSecurity) -> Rule:
    """A stricter standard refuses pods that do not meet it, once they start anew; a laxer one opens the namespace."""
    if STANDARDS.index(new) > STANDARDS.index(old):
        return replaces("pods that do not meet it: they are refused when they start anew")
    return rolls("what pods may ask for: it is more")


class AppNamespace(Settings):
    """A namespace for applications, closed but for the services that it uses, OTLP and HTTPS to the outside."""

    name: Annotated[AppName, COMMON]
    pod_security: Annotated[PodSecurity, Change(FREE, judge=another_standard)] = Field(
        default="restricted", description="The standard that its pods have to meet."
    )
    why_privileged: Annotated[str | None, FREELY] = Field(
        default=None,
        examples=["reads the logs of each node"],
        description="The reason for privileged pods, which they ask for.",
    )
    http_port: Annotated[int, Change(replaces("the way in: Traefik reaches pods on the new port alone"))] = Field(
        default=8080, ge=1, le=65535, description="Port on which Traefik reaches the pods."
    )
    uses: Annotated[Uses, Change(rolls("what the application no longer reaches"), added=FREE)] = Uses()

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if (self.pod_security == "privileged") != bool(self.why_privileged):
            raise ValueError(
                f"why_privileged belongs to pod_security privileged, found {self.pod_security}; set both or neither"
            )
        return self

    @property
    def pods(self) -> Pods:
        """All pods of the namespace."""
        return Pods(self.name, "apps")

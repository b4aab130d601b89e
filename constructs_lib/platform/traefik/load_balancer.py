"""What stands in front of the ingress, as an existing cluster's owner says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.change import FREELY, Change, replaces
from constructs_lib.base.fields import AnnotationKey, AnnotationValue, Range
from constructs_lib.base.settings import Settings

ADDRESS_MOVES = Change(replaces("the ingress' address, to which records and the machines around it lead"))


class LoadBalancer(Settings):
    """How traffic comes to the ingress. What stands in front of it is the cluster's, and no stack of ours."""

    service: Annotated[Literal["LoadBalancer", "NodePort"], ADDRESS_MOVES] = Field(
        default="LoadBalancer",
        description="Type of the Service; NodePort where nothing in the cluster makes balancers, such as in kind.",
    )
    annotations: Annotated[dict[AnnotationKey, AnnotationValue], ADDRESS_MOVES] = Field(
        default_factory=dict, description="What whoever makes the balancer reads at the Service."
    )
    proxies: Annotated[tuple[Range, ...], COMMON, FREELY] = Field(
        default=(),
        description="Addresses of a balancer that sends PROXY protocol; nobody else is believed who calls.",
    )

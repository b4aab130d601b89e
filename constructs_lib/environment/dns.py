"""Where the records of an environment's domain are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.change import Change, replaces
from constructs_lib.base.fields import Domain
from constructs_lib.base.settings import Settings


class Dns(Settings):
    """The zone that holds the domain's records. At DigitalOcean the records of the load balancer are made in it."""

    zone_at: Annotated[
        Literal["digitalocean", "elsewhere"],
        Change(replaces("the records, which end by the plan of the stage dns")),
    ] = Field(
        default="digitalocean",
        description="Who answers for the zone; elsewhere, wait-ready says which records a person has to make.",
    )
    zone: Annotated[Domain | None, COMMON, Change(replaces("the records, which end by the plan of the stage dns"))] = (
        Field(
            default=None, description="The zone, where that is a parent of the domain; the domain itself if left out."
        )
    )

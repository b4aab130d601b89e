"""What a recovery has to keep to, and what a cluster can be recovered from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.change import FREELY
from constructs_lib.base.fields import Name
from constructs_lib.base.quantities import Hours, Minutes
from constructs_lib.base.service_fields import Instant
from constructs_lib.base.settings import Settings

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

Pace = Literal["daily", "weekly", "monthly"]


class Origin(Settings):
    """Start with what the environment's bucket holds instead of empty."""

    archive: Annotated[Name, COMMON] = Field(
        examples=["main-1"],
        description="What is read: name and generation of the cluster that was lost, such as main-1.",
    )
    until: Instant | None = Field(
        default=None, description="Recover to this time, or the newest copy before it; without it to the last."
    )


class Rehearsed(Settings):
    """How long a recovery may take, and how often there is a drill that shows it."""

    rto: Annotated[Minutes, FREELY] = Field(
        default=Minutes("60m"), description="How long a recovery may take; a drill that takes longer has failed."
    )
    drill: Annotated[Pace | None, FREELY] = Field(
        default=None, description="How often the newest backup is recovered; unless given weekly, monthly in a sandbox."
    )

    def pace(self, env: Environment) -> Pace:
        """Return how often there is a drill."""
        return self.drill or ("monthly" if env.tier == "sandbox" else "weekly")


class CopyRecovery(Rehearsed):
    """What a recovery from copies has to keep to: one is made as often as half of `rpo`."""

    rpo: Annotated[Literal["2h", "4h", "8h", "12h", "24h", "48h"], FREELY] = Field(
        default="24h", description="Changes of how long may be lost: a copy is made after half of it."
    )

    @property
    def rpo_seconds(self) -> int:
        """The objective in seconds."""
        return Hours(self.rpo).seconds

    @property
    def schedule(self) -> str:
        """When copies are made, in UTC."""
        return f"7 {','.join(map(str, range(0, 24, Hours(self.rpo).number // 2)))} * * *"

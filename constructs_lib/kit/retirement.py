"""How what holds data ends: it is closed first, then may be deleted, and only then leaves its file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from constructs_lib.base.change import FREE, Change, replaces, rolls, steps
from constructs_lib.base.settings import Settings
from constructs_lib.kit.objects import Manifest, kept

RETIRE = steps(
    "it stays without walls, credentials and backups; retire it first",
    "retire-data",
    after=("retired", "deletable"),
    done=replaces("it, with all its data"),
)
"""What taking something that holds data off its list does."""
EMPTY_FIRST = steps(
    "its clusters stay without operator, walls and backups; retire them first",
    "retire-data",
    after=("clusters", []),
    done=replaces("its operators"),
)
"""What switching an operator's component off does."""


class Retirable(Settings):
    """Something that holds data."""

    retired: Annotated[
        Literal["closed", "deletable"] | None,
        Change(rolls("applications, which no longer reach it"), removed=FREE),
    ] = Field(
        default=None,
        description="closed: no application reaches it, all else stays; deletable: it goes once it leaves this list.",
    )

    @property
    def is_open(self) -> bool:
        """Whether applications may use it."""
        return self.retired is None

    def kept(self, item: Manifest) -> Manifest:
        """Return an object of it so that nothing deletes it, unless it may go."""
        return item if self.retired == "deletable" else kept(item)

"""What can be planned at once."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A stage: stacks of the later one look the cluster up, which the earlier one makes."""

    FOUNDATION = "foundation"
    SERVICES = "services"

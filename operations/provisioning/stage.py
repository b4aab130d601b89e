"""What can be planned at once."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A stage: stacks of a later one look up what an earlier one makes, the cluster or the load balancer."""

    FOUNDATION = "foundation"
    SERVICES = "services"
    DNS = "dns"

"""What a workflow is there for."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """A purpose has a role of its own in Vault, which opens what that needs and no more."""

    PLAN = "plan"
    DRIFT = "drift"
    APPLY = "apply"
    BOOTSTRAP = "bootstrap"
    PROMOTE = "promote"
    INTEGRATION = "integration"

"""The stacks, and how they are called: a name is the folder of a stack's JSON and the key of its state."""

from __future__ import annotations

from enum import StrEnum

GITOPS_REPOSITORY = "gitops-repository"
"""The stack that all environments share."""


class StackKind(StrEnum):
    """A stack of an environment."""

    STATE = "state"
    CLUSTER = "cluster"
    FLUX = "flux"
    PLATFORM = "platform"

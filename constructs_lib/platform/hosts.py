"""By which names applications answer outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


def address_of(env: Environment, name: str) -> str:
    """Return the address of a host."""
    return f"{name}.{env.domain}"

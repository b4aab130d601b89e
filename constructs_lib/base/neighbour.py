"""What stands in the platform's own cluster and is not the platform's: a Vault, an object store."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from constructs_lib.base.belonging import COMMON
from constructs_lib.base.change import Change, rolls
from constructs_lib.base.fields import Name
from constructs_lib.base.settings import Settings

MOVES = Change(rolls("nothing, but until network policies follow, nobody reaches it"))
"""What it does to say of something where it stands."""


class Neighbour(Settings):
    """Where in the same cluster something stands: network policies open a way to it there, and none to the outside."""

    namespace: Annotated[Name, COMMON, MOVES] = Field(description="The namespace of its pods.")
    port: Annotated[int, MOVES] = Field(
        ge=1, le=65535, description="The port at which its pods listen, whatever that of the Service before them is."
    )

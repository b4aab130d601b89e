"""The files of the GitOps repository that all environments share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from constructs_lib.environment import Environment
from gitops_render.sops_config import SOPS_FILE, sops_config
from gitops_render.tree import Rendered

INDEX_NAME = "_shared"
"""The name of their index, which no environment can have."""

SOURCE_IGNORE = b"""\
# What Flux need not download: nothing here is applied.
/.github
/.render
/docs
/tests
.sops.yaml
"""


def render_repository(environments: Sequence[Environment]) -> Rendered:
    """Return `.sourceignore`, and `.sops.yaml` if an environment has a recipient. They must see every environment."""
    owned = {PurePosixPath(".sourceignore"): SOURCE_IGNORE}
    recipients = {env.name: _recipients(env) for env in environments if env.sops_recipient is not None}
    if recipients:
        owned[SOPS_FILE] = sops_config(recipients)
    return Rendered(owned, seeds={})


def _recipients(env: Environment) -> list[str]:
    keys = (env.sops_recipient, env.gitops.recovery_recipient)
    return [key for key in keys if key is not None]

"""What may not happen to an environment."""

from __future__ import annotations

from collections.abc import Sequence

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from operations.clients.tofu import Change
from operations.provisioning.moves import CLUSTER

EPHEMERAL = "eph-"
"""How the names of environments begin that tests make and remove."""


def refuse_destruction(env: Environment, confirmed: str | None) -> None:
    """Raise `ConfigError` unless an environment may be destroyed: it is not protected, and meant."""
    if env.cluster.protected:
        raise ConfigError(
            f"environments/{env.name}.yaml: cluster.protected is true; set it to false and apply that first"
        )
    if env.tier != "sandbox" and not env.name.startswith(EPHEMERAL) and confirmed != env.name:
        raise ConfigError(f"destroying {env.name}: has to be confirmed by its name, found '{confirmed or ''}'")


def refuse_replacement(env: Environment, changes: Sequence[Change]) -> None:
    """Raise `ConfigError` if a plan replaces the cluster, which no two of one name let happen one after the other."""
    if any(change.kind == CLUSTER and len(change.actions) > 1 for change in changes):
        raise ConfigError(
            f"environments/{env.name}.yaml: region, vpc_range and cluster.network of a cluster cannot change; "
            "change them back, or add another environment and move to it"
        )

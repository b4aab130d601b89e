"""`<env>-flux`: Flux in the cluster, which it finds by name."""

from __future__ import annotations

from cdktf import TerraformStack
from constructs import Construct

from constructs_lib.cluster_access import use_cluster
from constructs_lib.environment import Environment
from constructs_lib.fluxcd import Flux
from constructs_lib.state_backend import keep_state


class FluxStack(TerraformStack):
    """Flux and what it needs to start."""

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        keep_state(self, id_, env.state)
        use_cluster(self, env.cluster.name)
        Flux(self, "flux", env=env)

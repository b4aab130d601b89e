"""`<env>-flux`: Flux in the cluster, to which each run is given the way."""

from __future__ import annotations

from cdktf import TerraformStack
from constructs import Construct

from constructs_lib.cloud.cluster_access import use_cluster
from constructs_lib.cloud.fluxcd import Flux
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment import Environment


class FluxStack(TerraformStack):
    """Flux and what it needs to start."""

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        keep_state(self, id_, env.state)
        use_cluster(self, env.cluster)
        Flux(self, "flux", env=env)

"""`<env>-cluster`: the Kubernetes cluster."""

from __future__ import annotations

from cdktf import TerraformStack
from constructs import Construct

from constructs_lib.cloud.doks import DoksCluster
from constructs_lib.cloud.providers import digitalocean
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment import Environment


class ClusterStack(TerraformStack):
    """The cluster with its network, project and node pools."""

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        keep_state(self, id_, env.state)
        digitalocean.provider.DigitaloceanProvider(self, "digitalocean")
        DoksCluster(self, "doks", env=env)

"""`<env>-platform`: in apply mode, the platform's services, installed by OpenTofu."""

from __future__ import annotations

from cdktf import TerraformStack
from constructs import Construct

from constructs_lib.cloud.applied import Applied
from constructs_lib.cloud.cluster_access import use_cluster
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment import Environment


class PlatformStack(TerraformStack):
    """All enabled components."""

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        keep_state(self, id_, env.state)
        use_cluster(self, env.cluster)
        Applied(self, "platform", layers=env.layers)

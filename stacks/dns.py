"""`<env>-dns`: the records that lead to the environment's load balancer, which it finds by name."""

from __future__ import annotations

from cdktf import TerraformStack
from constructs import Construct

from constructs_lib.cloud.providers import digitalocean
from constructs_lib.cloud.records import IngressRecords
from constructs_lib.cloud.state_backend import keep_state
from constructs_lib.environment import Environment


class DnsStack(TerraformStack):
    """The records of the ingress."""

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        keep_state(self, id_, env.state)
        digitalocean.provider.DigitaloceanProvider(self, "digitalocean")
        IngressRecords(self, "records", env=env)

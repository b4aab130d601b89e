"""The records by which the hosts of an environment lead to its load balancer."""

from __future__ import annotations

from constructs import Construct

from constructs_lib.cloud.providers import digitalocean
from constructs_lib.environment import Environment

TTL_SECONDS = 300
"""A new balancer has a new address, which clients should learn soon."""


class IngressRecords(Construct):
    """A of `ingress.<domain>` and of `*.<domain>`, in a zone that is there already.

    The cluster makes the balancer (digitalocean-cloud-controller-manager, annotation `do-loadbalancer-name`), and its
    name is unique in the account or the plan fails. The wildcard is no CNAME, so that each stands for itself.
    """

    def __init__(self, scope: Construct, id_: str, *, env: Environment) -> None:
        super().__init__(scope, id_)
        balancer = digitalocean.data_digitalocean_loadbalancer.DataDigitaloceanLoadbalancer(
            self, "balancer", name=env.balancer
        )
        for record, host in (("ingress", env.ingress_host), ("wildcard", f"*.{env.domain}")):
            digitalocean.record.Record(
                self,
                record,
                domain=env.zone,
                type="A",
                name=host.removesuffix(f".{env.zone}"),
                value=balancer.ip,
                ttl=TTL_SECONDS,
            )

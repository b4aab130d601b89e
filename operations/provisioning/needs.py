"""What a stage's plan needs to be there already, and waiting for it."""

from __future__ import annotations

import time

from constructs_lib.base.console import step
from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from operations.clients.digitalocean import DigitalOcean
from operations.provisioning.stage import Stage

POLL_SECONDS = 10

NEEDED = {Stage.SERVICES: "the cluster", Stage.DNS: "the load balancer"}
"""What stacks of a stage look up."""


def is_there(stage: Stage, env: Environment, api: DigitalOcean, *, wait_seconds: float = 0) -> bool:
    """Return whether what a stage needs is there, or comes within this time: Flux makes the balancer, in minutes."""
    if stage not in NEEDED or _found(stage, env, api):
        return True
    if not wait_seconds:
        return False
    until = time.monotonic() + wait_seconds
    with step(f"{env.name}: wait for {NEEDED[stage]}"):
        while time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            if _found(stage, env, api):
                return True
    return False


def refuse_missing_zone(env: Environment, api: DigitalOcean) -> None:
    """Raise `ConfigError` if DigitalOcean does not have the zone that the records go into."""
    zones = [item["name"] for item in api.list("/v2/domains", "domains")]
    if env.zone not in zones:
        found = f"DigitalOcean has no zone {env.zone}, found {', '.join(zones) or 'none'}"
        raise ConfigError(
            f"environments/{env.name}.yaml: dns.zone: {found}; add it there, or set dns.zone_at: elsewhere"
        )


def _found(stage: Stage, env: Environment, api: DigitalOcean) -> bool:
    if stage is Stage.SERVICES:
        return env.cluster.provider == "existing" or api.cluster(env.cluster.name) is not None
    return api.balancer(env.balancer) is not None

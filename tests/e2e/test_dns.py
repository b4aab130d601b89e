"""The records of the ingress against a loopback DigitalOcean, with the real provider."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import Cloud, OpenStack
from tests.e2e.tofu import Tofu
from tests.support import Synthesised

BALANCER = "episodic-sandbox-ingress"
ZONE = "episodic.example"


@pytest.fixture
def tofu(cloud: Cloud, stacks: dict[str, Synthesised], open_stack: OpenStack) -> Tofu:
    """Return the stack of the sandbox' records in an account that has the zone."""
    cloud.api.zones.records[ZONE] = {}
    tofu = open_stack(stacks["sandbox-dns"].data, **cloud.environment())
    tofu.init()
    return tofu


def records(cloud: Cloud) -> dict[str, str]:
    """Return where each A record leads."""
    return {item["name"]: item["data"] for item in cloud.api.zones.records[ZONE].values() if item["type"] == "A"}


def test_the_records_follow_the_balancer_until_they_end(cloud: Cloud, tofu: Tofu) -> None:
    assert f"no load balancer found with name {BALANCER}" in tofu.run("plan", code=1)
    cloud.api.add_balancer("episodic-staging-ingress", "203.0.113.99")
    cloud.api.add_balancer(BALANCER)
    tofu.apply()
    assert records(cloud) == {"ingress.sandbox": "203.0.113.10", "*.sandbox": "203.0.113.10"}
    assert cloud.api.zones.leads_to("any.sandbox.episodic.example") == "203.0.113.10"
    tofu.plan(changes=False)

    cloud.api.add_balancer(BALANCER, "203.0.113.11")
    tofu.apply()
    assert set(records(cloud).values()) == {"203.0.113.11"}
    tofu.plan(changes=False)

    cloud.api.balancers.clear()
    assert "no load balancer found" in tofu.run("plan", "-destroy", code=1)
    tofu.run("plan", "-destroy", "-refresh=false", "-out=end")
    tofu.run("apply", "end")
    assert records(cloud) == {}


def test_a_record_that_a_person_made_is_taken_over(cloud: Cloud, tofu: Tofu) -> None:
    cloud.api.add_balancer(BALANCER)
    number = cloud.api.zones.add(ZONE, "A", "ingress.sandbox", "203.0.113.1")
    (address,) = (name for name in tofu_addresses(tofu) if "ingress" in name)
    tofu.write("adopt.tf.json", {"import": [{"to": address, "id": f"{ZONE},{number}"}]})
    tofu.apply()
    assert records(cloud) == {"ingress.sandbox": "203.0.113.10", "*.sandbox": "203.0.113.10"}


def tofu_addresses(tofu: Tofu) -> list[str]:
    """Return the addresses of the stack's records."""
    resources = json.loads((tofu.folder / "cdk.tf.json").read_text())["resource"]
    return [f"{kind}.{name}" for kind, named in resources.items() for name in named]

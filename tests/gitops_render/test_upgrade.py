"""What holds an upgrade up, and what does not."""

from __future__ import annotations

import pytest

from gitops_render.check import upgrade_findings
from gitops_render.check.upgrade import blocks
from tests.support import environment, everything


@pytest.mark.parametrize(
    ("budget", "replicas", "blocked"),
    [
        ({"maxUnavailable": 0}, None, True),
        ({"maxUnavailable": "0%"}, 3, True),
        ({"maxUnavailable": 1}, 1, False),
        ({"minAvailable": "100%"}, None, True),
        ({"minAvailable": 1}, 1, True),
        ({"minAvailable": 1}, 2, False),
        ({"minAvailable": 3}, 2, True),
        ({"minAvailable": 1}, None, False),
        ({"enabled": False, "maxUnavailable": 0}, 1, False),
        ({"enable": False, "minAvailable": 1}, 1, False),
        ({"enabled": True}, 1, False),
    ],
)
def test_a_budget_blocks_when_no_pod_may_ever_go(
    budget: dict[str, object], replicas: int | None, blocked: bool
) -> None:
    assert blocks(budget, replicas) is blocked


def test_nothing_of_our_own_stands_in_the_way_of_an_upgrade() -> None:
    for env in (environment(), environment("staging"), environment("production"), everything()):
        assert upgrade_findings(env) == []


def test_what_stands_in_the_way_is_found_in_what_the_file_would_render() -> None:
    values = {"traefik": {"podDisruptionBudget": {"enabled": True, "minAvailable": 3}}}
    (found,) = upgrade_findings(environment("production", platform__traefik={"replicas": 3, "extra_values": values}))
    assert (found.policy, found.object) == ("UPG002", "HelmRelease flux-system traefik")
    assert found.message == "lets no pod go (spec.values.podDisruptionBudget)"

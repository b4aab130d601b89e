"""How a stack reaches a cluster that another stack made."""

from __future__ import annotations

import re

import pytest

from constructs_lib.cloud.cluster_access import NOT_OURS, use_cluster
from tests.support import environment, existing, synthesised


def test_both_providers_are_given_the_way_to_the_cluster_by_each_run_and_keep_nothing_of_it() -> None:
    stack = synthesised(lambda stack: use_cluster(stack, environment().cluster))
    access = {
        "host": "${var.cluster_host}",
        "token": "${var.cluster_token}",
        "cluster_ca_certificate": "${var.cluster_ca_certificate}",
    }
    variables = stack.data["variable"].values()
    assert len(variables) == 3
    assert all(variable["ephemeral"] and variable["sensitive"] for variable in variables)
    assert "data" not in stack.data
    assert stack.data["provider"]["kubernetes"] == [{**access, "ignore_labels": NOT_OURS}]
    assert stack.data["provider"]["helm"] == [{"kubernetes": access}]


def test_a_cluster_that_is_there_already_is_a_context_of_whoever_runs_it() -> None:
    stack = synthesised(lambda stack: use_cluster(stack, existing().cluster))
    assert stack.data["provider"] == {
        "kubernetes": [{"config_context": "kind-lab", "ignore_labels": NOT_OURS}],
        "helm": [{"kubernetes": {"config_context": "kind-lab"}}],
    }
    assert "variable" not in stack.data


@pytest.mark.parametrize(
    ("label", "ours"),
    [
        ("app.kubernetes.io/instance", False),
        ("app.kubernetes.io/part-of", False),
        ("fluxcd.controlplane.io/name", False),
        ("reconcile.fluxcd.io/watch", True),
        ("pod-security.kubernetes.io/enforce", True),
    ],
)
def test_a_plan_leaves_alone_what_the_flux_operator_adds_to_its_namespace(label: str, *, ours: bool) -> None:
    """What a namespace had beside ours after the real operator (v0.58.1), which the provider would take away again."""
    assert any(re.search(pattern, label) for pattern in NOT_OURS) is not ours

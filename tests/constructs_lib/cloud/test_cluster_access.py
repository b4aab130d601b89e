"""How a stack reaches a cluster that another stack made."""

from __future__ import annotations

from constructs_lib.cloud.cluster_access import use_cluster
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
    assert stack.data["provider"]["kubernetes"] == [access]
    assert stack.data["provider"]["helm"] == [{"kubernetes": access}]


def test_a_cluster_that_is_there_already_is_a_context_of_whoever_runs_it() -> None:
    stack = synthesised(lambda stack: use_cluster(stack, existing().cluster))
    assert stack.data["provider"] == {
        "kubernetes": [{"config_context": "kind-lab"}],
        "helm": [{"kubernetes": {"config_context": "kind-lab"}}],
    }
    assert "variable" not in stack.data

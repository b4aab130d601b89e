"""How a stack reaches a cluster that another stack made."""

from __future__ import annotations

from constructs_lib.cloud.cluster_access import use_cluster
from tests.support import synthesised


def test_both_providers_reach_the_cluster_that_has_the_name_and_trust_its_ca_alone() -> None:
    stack = synthesised(lambda stack: use_cluster(stack, "episodic-sandbox"))
    looked_up = stack.only("digitalocean_kubernetes_cluster", block="data")
    assert looked_up["name"] == "episodic-sandbox"
    cluster = "data.digitalocean_kubernetes_cluster.cluster"
    access = {
        "host": f"${{{cluster}.endpoint}}",
        "token": f"${{{cluster}.kube_config[0].token}}",
        "cluster_ca_certificate": f"${{base64decode({cluster}.kube_config[0].cluster_ca_certificate)}}",
    }
    assert stack.data["provider"]["kubernetes"] == [access]
    assert stack.data["provider"]["helm"] == [{"kubernetes": access}]

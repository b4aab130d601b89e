"""A cluster that is there already, which a real API server is: reached by a context of the user's kubeconfig."""

from __future__ import annotations

from pathlib import Path

import pytest

from constructs_lib.base.errors import ConfigError
from operations.clients.digitalocean import DigitalOcean
from operations.clients.kubernetes import about, cluster_client, issuer, way_in
from tests.e2e.cluster import Cluster
from tests.support import EXISTING, existing


def test_it_is_reached_and_says_who_signs_its_tokens_and_which_nodes_are_ours(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody = tmp_path / "other"
    nobody.write_text(cluster.kubeconfig.read_text().replace("test", "other"))
    monkeypatch.setenv("KUBECONFIG", f"{nobody}:{cluster.kubeconfig}")
    env, api = existing(cluster={**EXISTING, "context": "test"}), DigitalOcean("")
    assert way_in(api, env) == {"KUBE_CONFIG_PATHS": f"{nobody}:{cluster.kubeconfig}"}
    client = cluster_client(api, env).api_client
    assert issuer(client, "lab").name == "https://kubernetes.default.svc.cluster.local"

    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}
    cluster.apply(node)
    with pytest.raises(ConfigError, match="no node has the label pool-role=system"):
        about(client)
    cluster.kubectl("label", "nodes", "--all", "pool-role=system")
    version, nodes = about(client).split(", ")
    assert version.startswith("v1.")
    assert nodes == "1 nodes with pool-role=system"

    cluster.kubeconfig.write_text(cluster.kubeconfig.read_text().replace(cluster.token, "another"))
    with pytest.raises(ConfigError, match="the cluster refuses its credentials"):
        about(cluster_client(api, env).api_client)

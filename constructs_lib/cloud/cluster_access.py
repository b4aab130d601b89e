"""How a stack reaches a cluster that another stack made, or that was there before."""

from __future__ import annotations

from cdktf import TerraformStack

from constructs_lib.base.stacks import CLUSTER_CA, CLUSTER_HOST, CLUSTER_TOKEN
from constructs_lib.cloud.providers import helm, kubernetes
from constructs_lib.cloud.variables import secret_variable
from constructs_lib.environment.cluster import Cluster
from constructs_lib.environment.existing import ExistingCluster

GIVEN = {
    CLUSTER_HOST: "The address of the cluster's API server.",
    CLUSTER_TOKEN: "A token for it that soon expires.",
    CLUSTER_CA: "The certificate, in PEM form, that the API server is trusted by.",
}

NOT_OURS = [r"^app\.kubernetes\.io/", r"^fluxcd\.controlplane\.io/"]
"""Labels that flux-operator puts on its namespace, which each plan would take away (its v0.58.1 `internal/builder`)."""


def use_cluster(stack: TerraformStack, cluster: Cluster | ExistingCluster) -> None:
    """Point the kubernetes and helm providers of `stack` at the cluster that each run is given.

    All is ephemeral: it is in no state and no plan, and whoever applies a plan brings their own credentials. One that
    was there before is a context of their kubeconfig, which `KUBE_CONFIG_PATHS` names.
    """
    if cluster.provider == "existing":
        kubernetes.provider.KubernetesProvider(
            stack, "kubernetes", config_context=cluster.context, ignore_labels=NOT_OURS
        )
        helm.provider.HelmProvider(stack, "helm", kubernetes={"config_context": cluster.context})
        return
    host, token, certificate = (secret_variable(stack, name, text, ephemeral=True) for name, text in GIVEN.items())
    kubernetes.provider.KubernetesProvider(
        stack,
        "kubernetes",
        host=host,
        token=token,
        cluster_ca_certificate=certificate,
        ignore_labels=NOT_OURS,
    )
    helm.provider.HelmProvider(
        stack, "helm", kubernetes={"host": host, "token": token, "cluster_ca_certificate": certificate}
    )

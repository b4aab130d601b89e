"""How a stack reaches a cluster that another stack made."""

from __future__ import annotations

from cdktf import TerraformStack

from constructs_lib.cloud.providers import digitalocean, helm, kubernetes


def use_cluster(stack: TerraformStack, name: str) -> None:
    """Point the kubernetes and helm providers of `stack` at the DOKS cluster `name`.

    The cluster is looked up at plan time, so credentials are fresh and no other stack has to export them.
    """
    digitalocean.provider.DigitaloceanProvider(stack, "digitalocean")
    digitalocean.data_digitalocean_kubernetes_cluster.DataDigitaloceanKubernetesCluster(stack, "cluster", name=name)
    # A child of the stack itself has its own id as its OpenTofu name.
    cluster = "data.digitalocean_kubernetes_cluster.cluster"
    credentials = f"{cluster}.kube_config[0]"
    host, token = f"${{{cluster}.endpoint}}", f"${{{credentials}.token}}"
    certificate = f"${{base64decode({credentials}.cluster_ca_certificate)}}"
    kubernetes.provider.KubernetesProvider(
        stack, "kubernetes", host=host, token=token, cluster_ca_certificate=certificate
    )
    helm.provider.HelmProvider(
        stack, "helm", kubernetes={"host": host, "token": token, "cluster_ca_certificate": certificate}
    )

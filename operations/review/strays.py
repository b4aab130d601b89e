"""Clusters that environments left behind: they run on, and no file describes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from operations.clients.digitalocean import DigitalOcean
from operations.provisioning.refusals import EPHEMERAL

TAG = "environment:"
"""How the tag begins by which a cluster says whose it is."""


def strays(api: DigitalOcean, environments: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each cluster of the account that carries our tag and is of none of `environments`.

    Those that tests make and sweep away are not meant.
    """
    for cluster in api.list("/v2/kubernetes/clusters", "kubernetes_clusters"):
        names = [tag.removeprefix(TAG) for tag in cluster["tags"] if tag.startswith(TAG)]
        for name in names:
            if name not in environments and not name.startswith(EPHEMERAL):
                yield f"cluster {cluster['name']} is of environment {name}, which has no file"

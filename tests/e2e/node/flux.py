"""Flux on the real cluster: kustomize-controller follows the rendered repository, and what it applies really runs."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from constructs_lib.environment import Environment
from gitops_render.repository import INDEX_NAME, render_repository
from gitops_render.tree import render
from gitops_render.write import write
from operations.rehearsal.flux import Background, start_controller
from tests.e2e.cluster import CRDS
from tests.e2e.node import rabbitmq
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.releases import Releases
from tests.e2e.reconciler import Repository, Sources, is_ready

FIRST_CRDS = ("flux", "flux-operator")
"""CRDs that come with Flux itself."""

KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"
ASKED = "reconcile.fluxcd.io/requestedAt"
"""The annotation by which Flux' command asks for a layer (fluxcd/pkg `apis/meta/annotations.go`)."""


class Follower:
    """A cluster that follows one environment of a repository."""

    def __init__(self, cluster: NodeCluster, repository: Repository, releases: Releases) -> None:
        self.cluster, self.repository, self.releases = cluster, repository, releases

    def layers(self) -> dict[str, dict[str, Any]]:
        """Return the Kustomizations by name."""
        printed = self.cluster.kubectl("get", KUSTOMIZATIONS, "-A", "--output=json")
        return {item["metadata"]["name"]: item for item in json.loads(printed)["items"]}

    def apply_again(self) -> None:
        """Have every layer applied and looked at again, and wait until each is Ready (`flux reconcile`)."""
        now = datetime.now(UTC).isoformat()
        asked = f"{ASKED}={now}"
        # As Flux' command: what other names than `flux` leave, kustomize-controller takes away when it applies.
        every = ("annotate", KUSTOMIZATIONS, "--all", "-n", "flux-system", "--field-manager=flux")
        self.cluster.kubectl(*every, asked, "--overwrite")

        def is_done() -> bool:
            layers = self.layers().values()
            return all(is_ready(item) and item["status"].get("lastHandledReconcileAt") == now for item in layers)

        self.cluster.eventually(is_done, "every layer is Ready again")

    def waiting(self) -> dict[str, str]:
        """Return what each layer says that is not Ready."""
        return {name: _said(item) for name, item in self.layers().items() if not is_ready(item)}


@contextmanager
def follow(cluster: NodeCluster, env: Environment, folder: Path, history: Path | None = None) -> Generator[Follower]:
    """Let the cluster follow `env`, as the flux stack sets it up, in a repository that begins with a `history`."""
    repository = Repository(folder / "repository")
    if history:
        repository.git("pull", "--quiet", str(history), "main")
    write(repository.folder, env.name, render(env))
    write(repository.folder, INDEX_NAME, render_repository([env]))
    repository.commit("seed")
    for name in FIRST_CRDS:
        cluster.kubectl("apply", "--server-side", "-f", str(CRDS / f"{name}.yaml"))
    cluster.kubectl("create", "namespace", "flux-system")
    cluster.kubectl("create", "serviceaccount", "kustomize-controller", "--namespace", "flux-system")
    subject = ("--clusterrole=cluster-admin", "--serviceaccount=flux-system:kustomize-controller")
    cluster.kubectl("create", "clusterrolebinding", "kustomize-controller", *subject)
    releases = Releases(cluster, env, folder / "releases")
    with ExitStack() as stack:
        # The archives are served where kustomize-controller is.
        url = env.gitops.ssh_url
        sources = stack.enter_context(
            cluster.middle.call(lambda: Sources(cluster, repository, url, rabbitmq.releases()))
        )
        stack.enter_context(Background(sources.publish))
        stack.enter_context(Background(releases.update))
        start_controller(cluster)
        cluster.apply(*_root(env))
        yield Follower(cluster, repository, releases)


def _root(env: Environment) -> Iterator[dict[str, Any]]:
    named = {"name": "flux-system", "namespace": "flux-system"}
    source = {"interval": "1m", "url": env.gitops.ssh_url, "ref": {"branch": env.gitops.default_branch}}
    yield {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": named, "spec": source}
    root = {
        "interval": "1m",
        "retryInterval": "2s",
        "prune": True,
        "path": f"./clusters/{env.name}",
        "serviceAccountName": "kustomize-controller",
        "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
    }
    yield {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": named, "spec": root}


def _said(layer: dict[str, Any]) -> str:
    conditions = layer.get("status", {}).get("conditions", [])
    return "; ".join(f"{item['type']}={item['status']} {item['message'][:300]}" for item in conditions)

"""Flux on the real cluster: it follows the rendered repository, and what it applies really runs.

It is all of Flux where that is at hand (`controllers`); else kustomize-controller alone, and tests play the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
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
from tests.e2e.node import controllers, github, rabbitmq
from tests.e2e.node.cluster import NodeCluster
from tests.e2e.node.releases import Releases
from tests.e2e.node.shelf import Shelf
from tests.e2e.reconciler import Repository, Sources, is_ready

FIRST_CRDS = ("flux", "flux-operator")
"""CRDs that come with Flux itself."""

KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"
REPOSITORIES = "gitrepositories.source.toolkit.fluxcd.io"
ALONE = ("kustomize-controller",)
PLAYED = frozenset({"source-controller", "helm-controller"})
"""What stands beside kustomize-controller alone."""

ASKED = "reconcile.fluxcd.io/requestedAt"
"""The annotation by which Flux' command asks for a layer (fluxcd/pkg `apis/meta/annotations.go`)."""


class Follower:
    """A cluster that follows one environment of a repository, by those parts of Flux that are `real`."""

    def __init__(
        self, cluster: NodeCluster, repository: Repository, releases: Releases, real: tuple[str, ...] = ALONE
    ) -> None:
        self.cluster, self.repository, self.releases, self.real = cluster, repository, releases, real

    @property
    def stand_ins(self) -> set[str]:
        """What is not real of Flux and the releases."""
        return self.releases.stand_ins | (PLAYED if self.real == ALONE else set())

    def layers(self) -> dict[str, dict[str, Any]]:
        """Return the Kustomizations by name."""
        printed = self.cluster.kubectl("get", KUSTOMIZATIONS, "-A", "--output=json")
        return {item["metadata"]["name"]: item for item in json.loads(printed)["items"]}

    def apply_again(self) -> None:
        """Have every layer fetched, applied and looked at again, and wait until each is Ready (`flux reconcile`)."""
        if self.real != ALONE:
            self._ask(REPOSITORIES, lambda _: True)
        self._ask(KUSTOMIZATIONS, is_ready)

    def _ask(self, kind: str, is_done: Callable[[dict[str, Any]], bool]) -> None:
        now = datetime.now(UTC).isoformat()
        # As Flux' command: what other names than `flux` leave, kustomize-controller takes away when it applies.
        every = ("annotate", kind, "--all", "-n", "flux-system", "--field-manager=flux")
        self.cluster.kubectl(*every, f"{ASKED}={now}", "--overwrite")

        def are_done() -> bool:
            found = json.loads(self.cluster.kubectl("get", kind, "-A", "--output=json"))["items"]
            return all(_handled(item) == now and is_done(item) for item in found)

        self.cluster.eventually(are_done, f"every {kind.partition('.')[0]} is as it should be again")

    def waiting(self) -> dict[str, str]:
        """Return what each layer says that is not Ready."""
        return {name: _said(item) for name, item in self.layers().items() if not is_ready(item)}


@contextmanager
def follow(
    cluster: NodeCluster, env: Environment, folder: Path, sites: Path, history: Path | None = None
) -> Generator[Follower]:
    """Let the cluster follow `env`, as the flux stack sets it up, in a repository that begins with a `history`.

    `sites` is what the world serves.
    """
    repository = Repository(folder / "repository")
    if history:
        repository.git("pull", "--quiet", str(history), "main")
    write(repository.folder, env.name, render(env))
    write(repository.folder, INDEX_NAME, render_repository([env]))
    repository.commit("seed")
    way = _with_all if controllers.are_at_hand() else _with_one
    with way(cluster, env, folder, sites, repository) as follower:
        yield follower


@contextmanager
def _with_all(
    cluster: NodeCluster, env: Environment, folder: Path, sites: Path, repository: Repository
) -> Generator[Follower]:
    shelf = Shelf(cluster, env, folder / "releases")
    shelf.fill(sites)
    for url, commit in controllers.REPOSITORIES.items():
        github.serve_by_https(sites, url, commit)
    key = github.serve_by_ssh(cluster, env, repository.folder)
    real = controllers.install(cluster, env, key)
    with Background(shelf.update):
        yield Follower(cluster, repository, shelf, real)


@contextmanager
def _with_one(
    cluster: NodeCluster, env: Environment, folder: Path, sites: Path, repository: Repository
) -> Generator[Follower]:
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


def _handled(item: dict[str, Any]) -> str | None:
    return item.get("status", {}).get("lastHandledReconcileAt")


def _said(layer: dict[str, Any]) -> str:
    conditions = layer.get("status", {}).get("conditions", [])
    return "; ".join(f"{item['type']}={item['status']} {item['message'][:300]}" for item in conditions)

"""The real kustomize-controller reconciles the rendered tree: order, promotion, rollback, pruning."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from constructs_lib.environment import Environment
from gitops_render.pin import pin
from gitops_render.repository import INDEX_NAME, render_repository
from gitops_render.seal import seal
from gitops_render.tree import render
from gitops_render.write import write
from operations.rehearsal.flux import Background, start_controller
from tests.e2e.cluster import BIN, Cluster
from tests.e2e.conftest import require
from tests.e2e.reconciler import TOOLS, Health, Repository, Sources, is_ready
from tests.support import environment

NAMES = ("sandbox", "staging", "production")
WAIT_SECONDS = 240
SEALED = """
apiVersion: v1
kind: Secret
metadata: {name: sealed, namespace: databases}
stringData: {password: hunter2-hunter2}
"""


class GitOps:
    """A cluster that follows one environment of a repository, as the flux stack sets it up."""

    def __init__(self, cluster: Cluster, repository: Repository, health: Health) -> None:
        self.cluster, self.repository, self.health = cluster, repository, health

    def follow(self, env: Environment) -> None:
        """Put the root of `env` into the cluster."""
        url = env.gitops.ssh_url
        source = {"interval": "1m", "url": url, "ref": {"branch": env.gitops.default_branch}}
        root = {
            "interval": "2s",
            "retryInterval": "2s",
            "prune": True,
            "path": f"./clusters/{env.name}",
            "serviceAccountName": "kustomize-controller",
            "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
        }
        self.cluster.apply(
            _flux("source.toolkit.fluxcd.io/v1", "GitRepository", source),
            _flux("kustomize.toolkit.fluxcd.io/v1", "Kustomization", root),
        )

    def layers(self) -> dict[str, dict[str, Any]]:
        """Return the Flux Kustomizations by name."""
        printed = self.cluster.kubectl("get", "kustomizations.kustomize.toolkit.fluxcd.io", "-A", "--output=json")
        return {item["metadata"]["name"]: item for item in json.loads(printed)["items"]}

    def until(self, wanted: Callable[[], Any], what: str) -> None:
        """Wait until `wanted` holds, or fail with what every layer says."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not wanted():
            assert time.monotonic() < deadline, f"{what}, and the layers say:\n{self._said()}"
            time.sleep(0.5)

    def _said(self) -> str:
        said: list[str] = []
        for name, layer in self.layers().items():
            conditions = layer.get("status", {}).get("conditions", [])
            said.append(f"{name}: {[(item['type'], item['status'], item['message'][:400]) for item in conditions]}")
        return "\n".join(said)

    def until_all_ready(self, *, at: str | None = None) -> None:
        """Wait until every layer is ready, those that read the platform's source at the commit `at`."""

        def wanted() -> bool:
            found = self.layers()
            ours = [layer for layer in found.values() if layer["spec"]["sourceRef"]["name"] == "platform"]
            at_commit = all(
                at is None or at in layer.get("status", {}).get("lastAppliedRevision", "") for layer in ours
            )
            return len(found) > 20 and all(map(is_ready, found.values())) and at_commit

        self.until(wanted, "not every layer became ready")

    def hurry(self) -> None:
        """Have every layer look at its source now, as a webhook of Flux does."""
        now = f"reconcile.fluxcd.io/requestedAt={time.time()}"
        every = ("kustomizations.kustomize.toolkit.fluxcd.io", "--all", "--namespace", "flux-system")
        self.cluster.kubectl("annotate", *every, "--overwrite", now)


def _flux(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "flux-system", "namespace": "flux-system"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


@pytest.fixture
def age_key(tmp_path: Path) -> tuple[str, str]:
    """A pair of age keys: the private half as Vault holds it, and the public half."""
    require("sops", "age-keygen")
    made = subprocess.run([BIN / "age-keygen"], capture_output=True, text=True, check=True).stdout
    return made, next(line.rpartition(" ")[2] for line in made.splitlines() if "public key" in line)


@pytest.fixture
def environments(age_key: tuple[str, str]) -> dict[str, Environment]:
    """The project's own environments, each with a key for sealed secrets."""
    return {name: environment(name, sops_recipient=age_key[1]) for name in NAMES}


@pytest.fixture
def gitops(
    cluster: Cluster, environments: dict[str, Environment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GitOps]:
    """A repository with every environment's tree in its first commit, and a cluster with Flux."""
    require(*TOOLS)
    repository = Repository(tmp_path / "gitops")
    for env in environments.values():
        write(repository.folder, env.name, render(env))
    write(repository.folder, INDEX_NAME, render_repository(list(environments.values())))
    monkeypatch.setenv("SOPS", str(BIN / "sops"))
    seal(repository.folder, "sandbox", {"the test": SEALED})
    repository.commit("seed")
    cluster.install_crds()
    cluster.kubectl("create", "namespace", "flux-system")
    cluster.kubectl("create", "serviceaccount", "kustomize-controller", "--namespace", "flux-system")
    subject = ("--clusterrole=cluster-admin", "--serviceaccount=flux-system:kustomize-controller")
    cluster.kubectl("create", "clusterrolebinding", "kustomize-controller", *subject)
    health = Health(cluster)
    with ExitStack() as stack:
        url = environments["sandbox"].gitops.ssh_url
        sources = stack.enter_context(Sources(cluster, repository, url))
        stack.enter_context(Background(sources.publish))
        stack.enter_context(Background(health.update))
        start_controller(cluster)
        yield GitOps(cluster, repository, health)


def label_everywhere(repository: Repository, env: str, value: str) -> None:
    """Change an object of `env` in the repository."""
    path = repository.folder / f"platform/traefik/{env}/configs/middleware-traefik-rate-limit.yaml"
    item = yaml.safe_load(path.read_text())
    item["metadata"]["labels"] = {"test": value}
    path.write_text(yaml.safe_dump(item))


def label_of(cluster: Cluster) -> str | None:
    found = cluster.get("middleware.traefik.io", "rate-limit", "traefik")
    return found["metadata"].get("labels", {}).get("test") if found else None


def give_key(cluster: Cluster, private: str) -> None:
    """Put the age key where External Secrets would bring it from Vault."""
    secret = ("create", "secret", "generic", "sops-age", "--namespace", "flux-system")
    cluster.kubectl(*secret, "--from-file=age.agekey=/dev/stdin", text=private)


def test_layers_come_up_in_order_and_objects_come_and_go(
    gitops: GitOps, environments: dict[str, Environment], age_key: tuple[str, str]
) -> None:
    cluster, repository = gitops.cluster, gitops.repository
    gitops.health.broken.add("external-secrets")
    gitops.follow(environments["sandbox"])
    gitops.until(lambda: is_ready(gitops.layers().get("baseline-crds", {"metadata": {}})), "the baseline is not ready")
    gitops.until(lambda: is_ready(gitops.layers()["traefik-controllers"]), "Traefik waits for no store")
    waiting = gitops.layers()
    for name in ("secrets-store", "secrets-sealed", "cert-manager-issuers", "databases-configs", "apps-episodic"):
        assert not is_ready(waiting[name]), f"{name} comes after the secrets' controllers"
    assert cluster.get("clusters.postgresql.cnpg.io", "main", "databases") is None
    gitops.health.broken.clear()
    give_key(cluster, age_key[0])
    gitops.hurry()
    gitops.until_all_ready()
    assert cluster.get("clusters.postgresql.cnpg.io", "main", "databases") is not None
    unsealed = cluster.get("secret", "sealed", "databases")
    assert unsealed is not None
    assert unsealed["data"] == {"password": "aHVudGVyMi1odW50ZXIy"}, "Flux decrypts what was sealed"

    label_everywhere(repository, "sandbox", "one")
    gone = repository.folder / "platform/traefik/sandbox/configs"
    (gone / "tlsoption-traefik-default.yaml").unlink()
    kept = repository.folder / "platform/databases/sandbox/configs"
    (kept / "cluster-databases-main.yaml").unlink()
    for folder, name in ((gone, "tlsoption-traefik-default.yaml"), (kept, "cluster-databases-main.yaml")):
        listing = folder / "kustomization.yaml"
        listing.write_text(listing.read_text().replace(f"- {name}\n", ""))
    gitops.until_all_ready(at=repository.commit("change, remove"))
    assert label_of(cluster) == "one"
    assert cluster.get("tlsoption.traefik.io", "default", "traefik") is None, "a removed object is pruned"
    assert cluster.get("clusters.postgresql.cnpg.io", "main", "databases") is not None, "a protected one is not"

    repository.git("revert", "--no-edit", "HEAD")
    gitops.until_all_ready(at=repository.git("rev-parse", "HEAD"))
    assert label_of(cluster) is None
    assert cluster.get("tlsoption.traefik.io", "default", "traefik") is not None, "a revert rolls back"


def test_a_change_reaches_an_environment_when_it_is_promoted(
    gitops: GitOps, environments: dict[str, Environment], age_key: tuple[str, str]
) -> None:
    cluster, repository = gitops.cluster, gitops.repository
    sandbox, staging, production = (environments[name] for name in NAMES)
    pin(repository.folder, sandbox, staging)
    first = repository.commit("pin staging")
    pin(repository.folder, staging, production)
    repository.commit("pin production")
    give_key(cluster, age_key[0])
    gitops.follow(production)
    gitops.until_all_ready()
    pinned = repository.git("rev-parse", f"{first}~1")
    label_everywhere(repository, "production", "new")
    change = repository.commit("change production's files")
    gitops.hurry()
    gitops.until(
        lambda: change in gitops.layers()["flux-system"]["status"]["lastAppliedRevision"], "the root is behind"
    )
    assert pinned in gitops.layers()["traefik-configs"]["status"]["lastAppliedRevision"], "the layers stay at their pin"
    assert label_of(cluster) is None

    pin(repository.folder, sandbox, staging)
    repository.commit("promote to staging")
    pin(repository.folder, staging, production)
    repository.commit("promote to production")
    gitops.until_all_ready(at=change)
    assert label_of(cluster) == "new"

    repository.git("revert", "--no-edit", "HEAD")
    gitops.until_all_ready(at=pinned)
    assert label_of(cluster) is None, "the revert of a promotion rolls back"

"""The real kustomize-controller on a real API server, following a real Git repository.

source-controller cannot be built here, so `Sources` does its part: it archives the commit that each GitRepository asks
for, serves it on loopback and says so in the object's status. Nothing else of Flux is faked; what needs a node or
another controller (`HelmRelease`, custom resources) is called ready by `Health`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Response, abort

from constructs_lib.kit import group
from operations.rehearsal.flux import (
    CONTROLLER,
    artifact,
    empty_release,
    patch_status,
    ready,
)
from tests.e2e.cluster import Cluster
from tests.fakes.server import FakeServer

TOOLS = (CONTROLLER,)
SAYS: dict[str, dict[str, Any]] = {
    "Cluster": {"status": {"readyInstances": 1, "currentPrimary": "main-1"}},
    "Database": {"status": {"applied": True}},
    "Pooler": {"status": {"phase": "active"}},
    "RabbitmqCluster": {"type": "AllReplicasReady"},
    "User": {"status": {"username": "episodic"}},
    "Valkey": {"status": {"ready": True}},
}
"""What kinds say when they are ready, other than or beside the condition `Ready`."""


class Repository:
    """A GitOps repository with one branch, in which the tests commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._place: tuple[str, ...] = ()
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed."""
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        return self.read(*self._place, *identity, *arguments)

    def read(self, *arguments: str) -> str:
        """Run git as Flux does, which finds nothing while the repository is away, and return what it printed."""
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    @contextmanager
    def away(self) -> Generator[None]:
        """Take the repository away from Flux; people go on with their own."""
        here, elsewhere = self.folder / ".git", self.folder.with_suffix(".git")
        here.rename(elsewhere)
        self._place = (f"--git-dir={elsewhere}", f"--work-tree={self.folder}")
        try:
            yield
        finally:
            self._place = ()
            elsewhere.rename(here)

    def commit(self, message: str) -> str:
        """Commit everything and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


class Sources(FakeServer):
    """Does source-controller's part for GitRepositories: ours at `url`, and others of which `releases` has `config/`.

    Of all others it serves an archive with nothing to apply.
    """

    def __init__(
        self, cluster: Cluster, repository: Repository, url: str, releases: Mapping[str, Path] | None = None
    ) -> None:
        super().__init__()
        self._cluster, self._repository, self._url = cluster, repository, url
        self._releases = {other: _release(folder) for other, folder in (releases or {}).items()}
        self._archives: dict[str, bytes] = {}
        self.app.add_url_rule("/<name>.tar.gz", view_func=self._serve)

    def publish(self) -> None:
        """Bring the status of every GitRepository up to date; where Git fails, the last archive stays."""
        found = json.loads(self._cluster.kubectl("get", "gitrepositories", "-A", "--output=json"))
        for item in found["items"]:
            reference = item["spec"].get("ref", {})
            name = reference.get("commit") or reference.get("branch") or reference.get("name") or "main"
            try:
                commit = self._commit(item["spec"]["url"], name)
            except subprocess.CalledProcessError as error:
                failed = {"status": "False", "reason": "GitOperationFailed", "message": error.stderr.strip()}
                patch_status(self._cluster, item, conditions=[ready(item, "Ready") | failed])
                continue
            revision = f"{name}@sha1:{commit}"
            if item.get("status", {}).get("artifact", {}).get("revision") != revision or not is_ready(item):
                self._publish(item, revision, commit)

    def _commit(self, url: str, name: str) -> str:
        """Return the commit of a repository, whose archive is served from now on."""
        if url == self._url:
            commit = self._repository.read("rev-parse", f"{name}^{{commit}}")
            if commit not in self._archives:
                self._archives[commit] = _archive(self._repository.folder, commit)
        else:
            packed = self._releases.get(url) or empty_release()
            self._archives[commit := hashlib.sha1(packed, usedforsecurity=False).hexdigest()] = packed
        return commit

    def _publish(self, item: dict[str, Any], revision: str, commit: str) -> None:
        archive = artifact(f"{self.url}/{commit}.tar.gz", revision, self._archives[commit])
        patch_status(self._cluster, item, artifact=archive, conditions=[ready(item, "Ready")])

    def _serve(self, name: str) -> Response:
        if name not in self._archives:
            abort(404)
        return Response(self._archives[name], content_type="application/gzip")


def _archive(repository: Path, commit: str) -> bytes:
    tree = subprocess.run(["git", "archive", "--format=tar", commit], cwd=repository, check=True, capture_output=True)
    return gzip.compress(tree.stdout, mtime=0)


def _release(folder: Path) -> bytes:
    """Return the archive of an operator's release, of which a folder has `config/`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, "config")
    return gzip.compress(packed.getvalue(), mtime=0)


CHART_SOURCES = ("helmrepositories.source.toolkit.fluxcd.io", "ocirepositories.source.toolkit.fluxcd.io")


class Health:
    """Calls ready what would need a node or another controller, except for what is named in `broken`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.broken: set[str] = set()

    def update(self) -> None:
        """Patch every HelmRelease and chart source, and every kind that a Kustomization waits for by expression."""
        kinds = {"helmreleases.helm.toolkit.fluxcd.io", *CHART_SOURCES}
        for kind in sorted(kinds | awaited(self._cluster)):
            for item in unready(self._cluster, kind):
                if item["metadata"]["name"] not in self.broken:
                    call_ready(self._cluster, item)


def awaited(cluster: Cluster) -> set[str]:
    """Return each kind that a Kustomization waits for by expression, as `kind.group`."""
    found = json.loads(cluster.kubectl("get", "kustomizations.kustomize.toolkit.fluxcd.io", "-A", "--output=json"))
    rules = (rule for layer in found["items"] for rule in layer["spec"].get("healthCheckExprs", []))
    return {_resource(rule) for rule in rules}


def _resource(item: dict[str, Any]) -> str:
    """Return how kubectl calls the kind of an object, or the kind that is named as in one."""
    return f"{item['kind'].lower()}.{group(item['apiVersion'])}"


def unready(cluster: Cluster, kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind that do not say that they are ready; none where the kind is unknown."""
    printed = cluster.kubectl("get", kind, "-A", "--output=json", code=None)
    found = json.loads(printed)["items"] if printed.startswith("{") else []
    return [item for item in found if not is_ready(item)]


def call_ready(cluster: Cluster, item: dict[str, Any]) -> None:
    """Say of an object what its kind says when it is ready."""
    said = SAYS.get(item["kind"], {})
    conditions = [ready(item, said.get("type", "Ready"))]
    patch_status(cluster, item, conditions=conditions, **said.get("status", {}))


def is_ready(item: dict[str, Any]) -> bool:
    """Return whether an object says that its present generation is ready."""
    status = item.get("status", {})
    conditions = {entry["type"]: entry["status"] for entry in status.get("conditions", [])}
    wanted = SAYS.get(item.get("kind", ""), {}).get("type", "Ready")
    current = status.get("observedGeneration", item["metadata"].get("generation")) == item["metadata"].get("generation")
    return conditions.get(wanted) == "True" and current

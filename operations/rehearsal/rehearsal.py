"""What a change of an environment's tree does to a cluster that runs the tree before it, seen on a real API server."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import (
    FLUX_KUSTOMIZATION,
    FLUX_NAMESPACE,
    FLUX_SOURCE,
    KEEP_IN_FLUX,
    Manifest,
    group,
    manifest,
    namespace,
)
from gitops_render.layers import FLUX_ACCOUNT
from gitops_render.objects import Identity, Item
from gitops_render.paths import CLUSTER, PLATFORM_SOURCE, Place, to_flux
from operations.rehearsal.api_server import BIN, TOOLS, ApiServer
from operations.rehearsal.flux import (
    CONTROLLER,
    Artifacts,
    artifact,
    empty_release,
    packed,
    patch_status,
    ready,
    start_controller,
)
from operations.rehearsal.trees import Tree, kinds_of, own_crds, read, read_crds, stand_ins

CRDS = "CRDS"
"""The variable that names a folder with the operators' CRDs."""
ROOT = "flux-system"
OURS = frozenset({ROOT, PLATFORM_SOURCE})
"""The sources that read the tree; all others are releases of operators."""
SECONDS = 1800.0
"""How long all layers of a tree may take."""
FAILED_LOOKS = 8
"""How often a layer has to be seen failing, half a second apart, before that counts: Flux tries again each second."""

Fate = Literal["made", "changed", "restarted", "replaced", "pruned", "orphaned"]
FATES: tuple[Fate, ...] = ("made", "changed", "restarted", "replaced", "pruned", "orphaned")


class Rehearsal(NamedTuple):
    """What was seen: layers that were done in the order of what they wait for, those refused, those that wait for them.

    `before` are the layers that the API server refuses of what runs already, `fates` what becomes of objects, and
    `unchecked` the kinds of which nobody has the CRDs, so that any field was taken.
    """

    environment: str
    order: tuple[str, ...]
    refused: Mapping[str, str]
    waiting: tuple[str, ...]
    before: Mapping[str, str]
    fates: Mapping[Fate, tuple[str, ...]]
    unchecked: tuple[str, ...]


def missing_tools() -> list[str]:
    """Return the programs of a rehearsal that are not built."""
    return [tool for tool in (*TOOLS, CONTROLLER) if not (BIN / tool).exists()]


def rehearse(environment: str, old: Path, new: Path) -> Rehearsal:
    """Load what is in the tree `old` of an environment, then the tree `new`, and return what becomes of it.

    Raises `ConfigError` where a program is not built, a tree cannot be read, or Flux does not come to an end.
    """
    if missing := missing_tools():
        raise ConfigError(f"{BIN}: has no {', '.join(missing)}; run `make tools`")
    before, after = read(old, environment), read(new, environment)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-"))
        server = stack.enter_context(ApiServer(Path(folder, "cluster")))
        artifacts = stack.enter_context(Artifacts())
        stage = _Stage(server, artifacts)
        unchecked = stage.begin(environment, before, after)
        first = stage.play(before)
        left = stage.seen(before, after)
        second = stage.play(after)
        fates = _fates(left, stage.seen(before, after), before, after)
    return Rehearsal(environment, second.order, second.refused, second.waiting, first.refused, fates, unchecked)


class _Played(NamedTuple):
    """How the layers of a tree ended."""

    order: tuple[str, ...]
    refused: Mapping[str, str]
    waiting: tuple[str, ...]


class Seen(NamedTuple):
    """An object in the cluster: which one, what it says, the pods that it describes, and whether Flux keeps it."""

    uid: str
    content: Manifest
    pods: Manifest | None
    kept: bool


class _Stage:
    """An API server with Flux, and one tree after the other."""

    def __init__(self, server: ApiServer, artifacts: Artifacts) -> None:
        self._server, self._artifacts = server, artifacts

    def begin(self, environment: str, *trees: Tree) -> tuple[str, ...]:
        """Bring what is there before any layer, and return the kinds of which nobody has the CRDs."""
        folder, kinds = os.environ.get(CRDS), kinds_of(*trees)
        self._bring([*(read_crds(Path(folder), kinds) if folder else []), *own_crds(trees[0])])
        unknown = list(stand_ins(kinds, self._kinds()))
        self._bring(unknown)
        account = manifest("v1", "ServiceAccount", FLUX_ACCOUNT, FLUX_NAMESPACE)
        self._server.apply(namespace(FLUX_NAMESPACE), account, _admin(), *_root(environment))
        start_controller(self._server)
        return tuple(sorted(crd["spec"]["names"]["kind"] for crd in unknown))

    def _bring(self, crds: Sequence[Manifest]) -> None:
        """Apply CRDs, and wait until the API server serves them."""
        if crds:
            self._server.apply(*crds)
            self._server.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=240s")

    def _kinds(self) -> Iterator[tuple[str, str]]:
        """Yield the group and name of each kind that the API server knows."""
        for line in self._server.kubectl("api-resources", "--no-headers").splitlines():
            *_, api_version, _namespaced, kind = line.split()
            yield group(api_version), kind

    def play(self, tree: Tree) -> _Played:
        """Let Flux apply a tree, until each layer is done, refused, or waits for one that is."""
        ours = self._served(packed(tree.files), "main")
        others = self._served(empty_release(), "release")
        looks = Looks(tree, ours["revision"])
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            self._publish(ours, others)
            found = self._server.list(f"kustomization.{group(FLUX_KUSTOMIZATION)}")
            played = looks.look({item["metadata"]["name"]: item for item in found})
            if played is not None:
                return played
            time.sleep(0.5)
        raise ConfigError(f"Flux: has not come to an end within {SECONDS:.0f} s; {looks.left()}")

    def _served(self, data: bytes, name: str) -> Manifest:
        """Serve an archive, and return how the status of a source names it."""
        url, commit = self._artifacts.serve(data)
        return artifact(url, f"{name}@sha1:{commit}", data)

    def _publish(self, ours: Manifest, others: Manifest) -> None:
        """Say of every source that it is fetched: ours, or the release of an operator, with nothing to apply."""
        for item in self._server.list(*(f"{kind}.{group(FLUX_SOURCE)}" for kind in ("gitrepository", "bucket"))):
            wanted = ours if item["metadata"]["name"] in OURS else others
            if item.get("status", {}).get("artifact") != wanted:
                patch_status(self._server, item, artifact=wanted, conditions=[ready(item, "Ready")])

    def seen(self, *trees: Tree) -> dict[Identity, Seen]:
        """Return what the API server has of the objects of trees; what is being deleted is gone."""
        wanted = {identity for tree in trees for identity in tree.objects}
        kinds = sorted({f"{item.kind}.{item.group}".rstrip(".") for item in wanted})
        found: dict[Identity, Seen] = {}
        for item in self._server.list(*kinds):
            identity = Item(PurePosixPath(), item).identity
            if identity in wanted and "deletionTimestamp" not in item["metadata"]:
                found[identity] = _of(item)
        return found


def _of(item: Manifest) -> Seen:
    metadata, pods = item["metadata"], (item.get("spec") or {}).get("template")
    marks = {key: metadata.get(key) for key in ("labels", "annotations")}
    content = {key: value for key, value in item.items() if key not in {"metadata", "status"}} | marks
    kept = KEEP_IN_FLUX.items() <= metadata.get("annotations", {}).items()
    return Seen(metadata["uid"], content, pods, kept)


class Looks:
    """What was seen of the layers so far."""

    def __init__(self, tree: Tree, revision: str) -> None:
        self._wanted, self._revision = tree.layers | {ROOT}, revision
        self._done: set[str] = set()
        self._failing: dict[str, int] = {}
        self._said: dict[str, str] = {}

    def look(self, layers: Mapping[str, Manifest]) -> _Played | None:
        """Take in how the layers are, and return how they ended once all have."""
        for name, item in layers.items():
            self._take(name, item)
        refused = {name: self._said[name] for name, times in sorted(self._failing.items()) if times >= FAILED_LOOKS}
        waiting = [name for name in self._wanted - self._done - refused.keys() if name in layers]
        stuck = {name for name in waiting if self._waits(layers[name], {*refused, *waiting})}
        if set(layers) != self._wanted or set(waiting) != stuck or (waiting and not refused):
            return None
        done = sorted((layers.keys() & self._done) - {ROOT}, key=lambda name: (_depth(name, layers), name))
        return _Played(tuple(done), refused, tuple(sorted(waiting)))

    def _take(self, name: str, item: Manifest) -> None:
        status = item.get("status", {})
        said = next((one for one in status.get("conditions", []) if one["type"] == "Ready"), None)
        if said is None or said.get("observedGeneration") != item["metadata"]["generation"]:
            return
        # What reads the release of an operator stays at that.
        ours = item["spec"].get("sourceRef", {}).get("name") in OURS
        wanted = self._revision if ours else status.get("lastAttemptedRevision")
        if said["status"] == "True" and status.get("lastAppliedRevision") == wanted:
            self._done.add(name)
            self._failing.pop(name, None)
        elif said["status"] == "False" and status.get("lastAttemptedRevision") == wanted:
            self._failing[name] = self._failing.get(name, 0) + 1
            self._said[name] = said["message"]

    def _waits(self, item: Manifest, left: set[str]) -> bool:
        return any(needed["name"] in left for needed in item["spec"].get("dependsOn", ()))

    def left(self) -> str:
        """Return what has not ended."""
        return f"not done are {', '.join(sorted(self._wanted - self._done)) or 'layers that should be gone'}"


def _fates(
    left: Mapping[Identity, Seen], right: Mapping[Identity, Seen], before: Tree, after: Tree
) -> dict[Fate, tuple[str, ...]]:
    """Return what became of objects, by fate."""
    found: dict[Fate, list[str]] = {fate: [] for fate in FATES}
    for identity in sorted({*before.objects, *after.objects}):
        fate = fate_of(left.get(identity), right.get(identity), described=identity in after.objects)
        if fate is not None:
            found[fate].append(str(identity))
    return {fate: tuple(names) for fate, names in found.items() if names}


def fate_of(old: Seen | None, new: Seen | None, *, described: bool) -> Fate | None:
    """Return what became of an object, which the candidate may have `described`; nothing if that is nothing."""
    if old is None:
        return None if new is None else "made"
    if new is None:
        return "pruned"
    if old.uid != new.uid:
        return "replaced"
    if not described:  # what goes with a layer that waits is there still
        return "orphaned" if new.kept else None
    if old.pods != new.pods:
        return "restarted"
    return None if old.content == new.content else "changed"


def _admin() -> Manifest:
    """Return the binding by which Flux's own account may do everything, as Flux is installed."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": FLUX_ACCOUNT, "namespace": FLUX_NAMESPACE}
    return manifest(
        "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", FLUX_ACCOUNT, roleRef=role, subjects=[subject]
    )


def _root(environment: str) -> Iterator[Manifest]:
    """Yield the root of an environment, as the flux stack makes it."""
    source = {"interval": "1h", "url": "https://git.example.org/rehearsal", "ref": {"branch": "main"}}
    yield manifest(FLUX_SOURCE, "GitRepository", ROOT, FLUX_NAMESPACE, spec=source)
    spec = {
        "interval": "1h",
        "retryInterval": "1s",
        "prune": True,
        "path": to_flux(Place(environment, CLUSTER).path),
        "serviceAccountName": FLUX_ACCOUNT,
        "sourceRef": {"kind": "GitRepository", "name": ROOT},
    }
    yield manifest(FLUX_KUSTOMIZATION, "Kustomization", ROOT, FLUX_NAMESPACE, spec=spec)


def _depth(name: str, layers: Mapping[str, Manifest]) -> int:
    """How many layers come before one, at least: layers of one depth are done in any order, another in each run."""
    before = [item["name"] for item in layers[name]["spec"].get("dependsOn", ()) if item["name"] in layers]
    return max((_depth(other, layers) + 1 for other in before), default=0)

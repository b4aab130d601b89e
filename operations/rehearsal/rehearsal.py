"""What a change of an environment's tree does to a cluster that runs the tree before it, seen on a real API server."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import (
    FLUX_KUSTOMIZATION,
    FLUX_NAMESPACE,
    FLUX_ROOT,
    FLUX_SOURCE,
    Manifest,
    group,
    manifest,
    namespace,
)
from gitops_render.layers import FLUX_ACCOUNT
from gitops_render.objects import Identity, Item
from gitops_render.paths import CLUSTER, Place, to_flux
from operations.rehearsal.api_server import BIN, TOOLS, ApiServer
from operations.rehearsal.fates import Fate, Seen, fates_of, seen_of
from operations.rehearsal.flux import (
    CONTROLLER,
    Artifacts,
    artifact,
    empty_release,
    packed,
    patch_status,
    ready,
    secret_of,
    start_controller,
)
from operations.rehearsal.installed import Releases, Sides, install, placed, read_releases, there, uninstall
from operations.rehearsal.looks import OURS, Looks, Played
from operations.rehearsal.trees import Kind, Tree, kinds_of, own_crds, read, read_crds, stand_ins
from operations.rehearsal.webhooks import KINDS, ask, brought

SOURCES = ("GitRepository", "Bucket")
"""The kinds of source that an environment may follow."""
CRDS = "CRDS"
"""The variable that names a folder with the operators' CRDs."""
SECONDS = 1800.0
"""How long all layers of a tree may take."""
SECRETS = ("external-secrets.io", "ExternalSecret")


class Rehearsal(NamedTuple):
    """What was seen: layers that were done in the order of what they wait for, those refused, those that wait for them.

    What is refused is a layer, or a release of a chart. `before` are those of what runs already, `fates` what becomes
    of objects, `unchecked` the kinds of which nobody has the CRDs, so that any field was taken, `asked` the programs
    whose webhooks were asked, and `unrendered` the releases whose charts were not there.
    """

    environment: str
    order: tuple[str, ...]
    refused: Mapping[str, str]
    waiting: tuple[str, ...]
    before: Mapping[str, str]
    fates: Mapping[Fate, tuple[str, ...]]
    unchecked: tuple[str, ...]
    asked: tuple[str, ...] = ()
    unrendered: tuple[str, ...] = ()


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
    made = read_releases(environment, old, new)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-"))
        server = stack.enter_context(ApiServer(Path(folder, "cluster")))
        artifacts = stack.enter_context(Artifacts())
        stage = Stage(server, artifacts)
        unchecked, asked = stage.begin(environment, (before, after), made)
        before, after = (_with(tree, side) for tree, side in ((before, made.old), (after, made.new)))
        first = stage.play(before, made.old)
        left = stage.seen(before, after)
        second = stage.play(after, made.new)
        uninstall(server, made.old, made.new)
        fates = fates_of(left, stage.seen(before, after), after.objects)
    told = (second.refused, second.waiting, first.refused, fates, unchecked, asked, made.unrendered)
    return Rehearsal(environment, second.order, *told)


def _with(tree: Tree, made: Releases) -> Tree:
    """Return a tree with what its releases make."""
    return tree._replace(objects=tree.objects | {_identity(item): item for one in made.values() for item in one.items})


def _identity(item: Manifest) -> Identity:
    return Item(PurePosixPath(), item).identity


class Stage:
    """An API server with Flux, and one tree after the other."""

    def __init__(self, server: ApiServer, artifacts: Artifacts) -> None:
        self._server, self._artifacts = server, artifacts
        self._secrets: list[str] = []
        self._known: set[Identity] = set()

    def begin(self, environment: str, trees: tuple[Tree, Tree], made: Sides) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Bring what is there before any layer; return the kinds of which nobody has the CRDs, and who is asked."""
        trees = (_with(trees[0], made.old), _with(trees[1], made.new))
        folder, kinds = os.environ.get(CRDS), kinds_of(*trees)
        operators = [*brought({of for of, _ in kinds})]
        own = [item for item in operators if item["kind"] not in KINDS]
        self._bring([*own, *(read_crds(Path(folder), kinds) if folder else []), *own_crds(trees[0])])
        unknown = list(stand_ins(kinds, self._kinds()))
        self._bring(unknown)
        scopes = self._kinds()
        for side in (made.old, made.new):
            placed(side, lambda item: scopes.get((group(item["apiVersion"]), item["kind"]), False))
        self._secrets = [".".join(reversed(SECRETS))] if SECRETS in kinds else []
        account = manifest("v1", "ServiceAccount", FLUX_ACCOUNT, FLUX_NAMESPACE)
        self._server.apply(namespace(FLUX_NAMESPACE), account, _admin(), *_root(environment))
        asked = ask(self._server, [*operators, *(item for one in made.old.values() for item in one.items)])
        start_controller(self._server)
        return tuple(sorted(crd["spec"]["names"]["kind"] for crd in unknown)), asked

    def _bring(self, crds: Sequence[Manifest]) -> None:
        """Apply CRDs, and wait until the API server serves them."""
        if crds:
            self._server.apply(*crds)
            self._server.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=240s")

    def _kinds(self) -> dict[Kind, bool]:
        """Return the kinds that the API server knows, and whether their objects lie in namespaces."""
        lines = (line.split() for line in self._server.kubectl("api-resources", "--no-headers").splitlines())
        return {(group(api_version), kind): namespaced == "true" for *_, api_version, namespaced, kind in lines}

    def play(self, tree: Tree, made: Releases) -> Played:
        """Let charts be installed and Flux apply a tree, until each layer is done, refused, or waits for one that is.

        Charts that run already come first, as they do on a cluster; those whose namespace Flux makes come last.
        """
        present = {item["metadata"]["name"] for item in self._server.list("namespaces")}
        ready_ones, others = there(made, present)
        refused = install(self._server, ready_ones)
        played = self._flux(tree)
        refused |= install(self._server, others)
        told = {f"layer {name}": why for name, why in played.refused.items()}
        return played._replace(refused=told | {f"release {name}": why for name, why in sorted(refused.items())})

    def _flux(self, tree: Tree) -> Played:
        """Let Flux apply a tree."""
        ours = self._served(packed(tree.files), "main")
        others = self._served(empty_release(), "release")
        looks = Looks(tree, ours["revision"])
        end = time.monotonic() + SECONDS
        sources = (f"{kind}.{group(FLUX_SOURCE)}".lower() for kind in SOURCES)
        kinds = (f"kustomization.{group(FLUX_KUSTOMIZATION)}", *sources, *self._secrets)
        while time.monotonic() < end:
            found = self._server.list(*kinds)
            self._publish([item for item in found if item["kind"] in SOURCES], ours, others)
            self._make_secrets(item for item in found if item["kind"] == SECRETS[1])
            played = looks.look({item["metadata"]["name"]: item for item in found if item["kind"] == "Kustomization"})
            if played is not None:
                return played
            time.sleep(0.5)
        raise ConfigError(f"Flux: has not come to an end within {SECONDS:.0f} s; {looks.left()}")

    def _served(self, data: bytes, name: str) -> Manifest:
        """Serve an archive, and return how the status of a source names it."""
        url, commit = self._artifacts.serve(data)
        return artifact(url, f"{name}@sha1:{commit}", data)

    def _publish(self, sources: Sequence[Manifest], ours: Manifest, others: Manifest) -> None:
        """Say of every source that it is fetched: ours, or the release of an operator, with nothing to apply."""
        for item in sources:
            wanted = ours if item["metadata"]["name"] in OURS else others
            if item.get("status", {}).get("artifact") != wanted:
                patch_status(self._server, item, artifact=wanted, conditions=[ready(item, "Ready")])

    def _make_secrets(self, wanted: Iterable[Manifest]) -> None:
        """Do the part of External Secrets for what has no Secret yet."""
        new = {_identity(item): item for item in wanted if _identity(item) not in self._known}
        if new:
            self._server.apply(*map(secret_of, new.values()))
            self._known |= set(new)

    def seen(self, *trees: Tree) -> dict[Identity, Seen]:
        """Return what the API server has of the objects of trees; what is being deleted is gone."""
        wanted = {identity for tree in trees for identity in tree.objects}
        kinds = sorted({f"{item.kind}.{item.group}".rstrip(".") for item in wanted})
        found: dict[Identity, Seen] = {}
        for item in self._server.list(*kinds):
            if (identity := _identity(item)) in wanted and "deletionTimestamp" not in item["metadata"]:
                found[identity] = seen_of(item)
        return found


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
    yield manifest(FLUX_SOURCE, "GitRepository", FLUX_ROOT, FLUX_NAMESPACE, spec=source)
    spec = {
        "interval": "1h",
        "retryInterval": "1s",
        "prune": True,
        "path": to_flux(Place(environment, CLUSTER).path),
        "serviceAccountName": FLUX_ACCOUNT,
        "sourceRef": {"kind": "GitRepository", "name": FLUX_ROOT},
    }
    yield manifest(FLUX_KUSTOMIZATION, "Kustomization", FLUX_ROOT, FLUX_NAMESPACE, spec=spec)

"""A tree as it is rehearsed: an environment's files, without what would need a node, a key or another controller."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

import yaml

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import FLUX_KUSTOMIZATION, Manifest, group
from gitops_render.check.model import KUSTOMIZE
from gitops_render.helm import Loader
from gitops_render.objects import Identity, Item, read_tree
from gitops_render.paths import KUSTOMIZATION, layers_folder
from gitops_render.yaml_output import to_yaml

CRD = "CustomResourceDefinition"
FLUX_KINDS = {
    "kustomize.toolkit.fluxcd.io/v1": ("Kustomization",),
    "source.toolkit.fluxcd.io/v1": ("Bucket", "ExternalArtifact", "GitRepository", "OCIRepository"),
}
"""What kustomize-controller asks for when it starts (v1.9 `internal/controller/kustomization_manager.go`)."""


Kind: TypeAlias = tuple[str, str]
"""A kind, by its API group and name."""
Served: TypeAlias = tuple[str, bool]
"""The `apiVersion` of a kind, and whether its objects lie in namespaces."""


class Tree(NamedTuple):
    """The files of an environment by path, and the objects that Flux applies of them."""

    files: dict[str, bytes]
    objects: dict[Identity, Manifest]

    @property
    def layers(self) -> set[str]:
        """The names of the Flux Kustomizations."""
        return {item.name for item in self.objects if (item.kind, item.group) == ("Kustomization", _FLUX_GROUP)}


_FLUX_GROUP = group(FLUX_KUSTOMIZATION)


def read(folder: Path, environment: str) -> Tree:
    """Return what is rehearsed of an environment in a tree.

    Layers do not wait for what never becomes ready here; sealed Secrets, whose key is elsewhere, are left out.
    Raises `ConfigError` for a tree that has no such environment, or cannot be read.
    """
    places = [(place, items) for place, items in read_tree(folder) if place.environment == environment]
    if not any(place.path == layers_folder(environment) for place, _ in places):
        raise ConfigError(f"{folder}: Flux applies no layers of {environment} there, so there is nothing to rehearse")
    left_out = {items[0].path for _, items in places if any("sops" in item.data for item in items)}
    files: dict[str, bytes] = {}
    objects: dict[Identity, Manifest] = {}
    for _, items in places:
        if items[0].path not in left_out:
            held = [_prepared(item, left_out) for item in items]
            files[str(items[0].path)] = b"---\n".join(map(to_yaml, held))
            objects |= {item.identity: item.data for item in items if item.group != KUSTOMIZE}
    return Tree(files, objects)


def _prepared(item: Item, left_out: Iterable[PurePosixPath]) -> Manifest:
    if item.group == KUSTOMIZE and item.path.name == KUSTOMIZATION:
        gone = {path.name for path in left_out if path.parent == item.path.parent}
        return {**item.data, "resources": [name for name in item.data.get("resources", []) if name not in gone]}
    if (item.kind, item.group) != ("Kustomization", _FLUX_GROUP):
        return item.data
    spec = {key: value for key, value in item.spec.items() if key not in {"decryption", "healthCheckExprs"}}
    return {**item.data, "spec": {**spec, "wait": False, "retryInterval": "1s"}}


def own_crds(tree: Tree) -> list[Manifest]:
    """Return the CRDs that a tree itself holds."""
    return [item for item in tree.objects.values() if item["kind"] == CRD]


def stand_ins(kinds: Mapping[Kind, Served], known: Iterable[Kind]) -> Iterator[Manifest]:
    """Yield a CRD that takes anything for each of the `kinds` that is not among the `known`."""
    for key in sorted(kinds.keys() - set(known)):
        yield _stand_in(*key, *kinds[key])


def kinds_of(*trees: Tree) -> dict[Kind, Served]:
    """Return the kinds of the objects of trees, and of Flux."""
    wanted: dict[Kind, Served] = {
        (group(version), kind): (version, True) for version, kinds in FLUX_KINDS.items() for kind in kinds
    }
    for tree in trees:
        for identity, item in tree.objects.items():
            wanted.setdefault((identity.group, identity.kind), (item["apiVersion"], bool(identity.namespace)))
    return wanted


def _stand_in(group_: str, kind: str, api_version: str, namespaced: bool) -> Manifest:
    plural = _plural(kind.lower())
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": api_version.rpartition("/")[2],
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    scope = "Namespaced" if namespaced else "Cluster"
    metadata = {
        "name": f"{plural}.{group_}",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in of a rehearsal"},
    }
    spec = {"group": group_, "scope": scope, "names": names, "versions": [version]}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": CRD, "metadata": metadata, "spec": spec}


def _plural(name: str) -> str:
    """Return a kind's plural as generators of CRDs make it."""
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2] not in "aeiou" else f"{name}s"


def read_crds(folder: Path, kinds: Container[Kind]) -> list[Manifest]:
    """Return the CRDs of these kinds in the files of a folder. Raises `ConfigError` for one that cannot be read."""
    found: list[Manifest] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found += [item for item in yaml.load_all(path.read_bytes(), Loader) if item and item.get("kind") == CRD]
        except (OSError, yaml.YAMLError):
            raise ConfigError(f"{path}: cannot be read as YAML; correct it, or take it out of there") from None
    return [item for item in found if (item["spec"]["group"], item["spec"]["names"]["kind"]) in kinds]

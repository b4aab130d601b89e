"""Policies on what Flux is told to do: order, sources, releases."""

from __future__ import annotations

import re
from collections.abc import Iterator

from constructs_lib.kit import FLUX_ROOT
from constructs_lib.platform import OPERATORS
from gitops_render.check.model import KUSTOMIZE, Found, Tree, at, tree_policy
from gitops_render.objects import Identity, Item
from gitops_render.paths import APPS, Place, layers_folder, of_flux, to_flux

ROOT_SOURCES = {("GitRepository", FLUX_ROOT), ("Bucket", FLUX_ROOT)}
"""What the flux stack makes, and no file here."""

SOURCE_KINDS = ("Bucket", "GitRepository", "HelmRepository", "OCIRepository")

PROVIDERS = {group: operator.name for operator in OPERATORS for group in operator.groups}
"""Which chart, or which repository of an operator, brings the kinds of an API group: the components say it."""


@tree_policy(
    "FLUX001",
    "a Kustomization without these waits an hour after a failure, or leaves behind what was removed",
    "set interval, retryInterval, timeout and prune: true, and neither suspend nor force",
)
def _complete(tree: Tree) -> Iterator[Found]:
    for layer in tree.layers.values():
        missing = [key for key in ("interval", "retryInterval", "timeout") if not layer.spec.get(key)]
        if missing:
            yield at(layer, f"has no {' and no '.join(missing)}")
        if layer.spec.get("prune") is not True:
            yield at(layer, "does not prune what is removed")
        yield from (at(layer, f"sets {key}") for key in ("suspend", "force") if layer.spec.get(key))


@tree_policy("FLUX002", "Flux fails on a path that is not there", "correct spec.path, or render the folder")
def _path_exists(tree: Tree) -> Iterator[Found]:
    for layer in tree.folders.values():
        if of_flux(layer.spec["path"]) not in tree.by_folder:
            yield at(layer, f"reads {layer.spec['path']}, which holds no file")


@tree_policy("FLUX003", "nothing is fetched from a source that is not there", "correct sourceRef, or add the source")
def _source_exists(tree: Tree) -> Iterator[Found]:
    known = {(item.kind, item.name) for item in tree.of(*SOURCE_KINDS)} | ROOT_SOURCES
    for item in tree.of("Kustomization", "HelmRelease", group=""):
        if item.group == KUSTOMIZE:
            continue
        wanted = item.spec.get("sourceRef") or item.spec.get("chartRef") or item.spec["chart"]["spec"]["sourceRef"]
        if (wanted.get("kind"), wanted.get("name")) not in known:
            yield at(item, f"reads {wanted.get('kind')} {wanted.get('name')}, which does not exist")


@tree_policy("FLUX004", "a layer waits for ever for one that is not there", "correct dependsOn, or add the layer")
def _dependency_exists(tree: Tree) -> Iterator[Found]:
    for layer in tree.layers.values():
        for needed in layer.spec.get("dependsOn", ()):
            if needed["name"] not in tree.layers:
                yield at(layer, f"waits for {needed['name']}, which does not exist")


@tree_policy("FLUX005", "layers that wait for each other never start", "remove one dependency of the loop")
def _no_loop(tree: Tree) -> Iterator[Found]:
    yield from (at(layer, "waits for itself") for name, layer in tree.layers.items() if name in tree.waits_for(name))


@tree_policy(
    "FLUX006",
    "Flux checks a whole layer before it applies it, and fails on a kind that is not known yet",
    "let its layer depend on the layer of the chart that brings its kind",
)
def _kinds_are_known(tree: Tree) -> Iterator[Found]:
    brought = {item.name: tree.layer_of(item) for item in tree.of("HelmRelease", "GitRepository")}
    for item in tree.items:
        name = PROVIDERS.get(item.group)
        layer = tree.layer_of(item) if name else None
        if name is None or layer is None:
            continue
        provider = brought.get(name)
        if provider is None or provider.name not in tree.waits_for(layer.name):
            yield at(item, f"does not come after {name}, which brings its kind")


@tree_policy("FLUX007", "a layer that does not wait is ready before its objects are", "set wait: true")
def _waits(tree: Tree) -> Iterator[Found]:
    for layer in tree.layers.values():
        if layer.spec.get("wait") is not True and layer.spec["path"] != to_flux(layers_folder(tree.environment)):
            yield at(layer, "does not wait until its objects are ready")


@tree_policy("FLUX008", "Flux applies what kustomization.yaml lists, and no more", "list exactly the folder's files")
def _listed(tree: Tree) -> Iterator[Found]:
    for listing in tree.of("Kustomization", group=KUSTOMIZE):
        beside = {item.path.name for item in tree.by_folder[listing.folder]} - {listing.path.name}
        listed = set(listing.data.get("resources", ()))
        for name in sorted(beside ^ listed):
            yield Found(listing.path, name, "is not listed" if name in beside else "is listed, but is no file")


@tree_policy("FLUX009", "two layers that own one object undo each other's changes", "remove it from one of the files")
def _one_owner(tree: Tree) -> Iterator[Found]:
    first: dict[Identity, Item] = {}
    for item in (item for item in tree.items if item.group != KUSTOMIZE):
        owner = first.setdefault(item.identity, item)
        if owner is not item:
            yield at(item, f"is in {owner.path} too")


@tree_policy("FLUX010", "a locked-down Flux acts as an account without rights by default", "set serviceAccountName")
def _account(tree: Tree) -> Iterator[Found]:
    for item in (*tree.layers.values(), *tree.of("HelmRelease")):
        if not item.spec.get("serviceAccountName"):
            yield at(item, "names no service account")


@tree_policy(
    "FLUX011", "what is fetched without encryption can be changed on the way", "use https://, ssh:// or oci://"
)
def _encrypted_sources(tree: Tree) -> Iterator[Found]:
    for item in tree.of(*SOURCE_KINDS):
        if item.kind == "Bucket":
            if item.spec.get("insecure"):
                yield at(item, f"is fetched from {item.spec.get('endpoint')}, insecure")
        elif not str(item.spec.get("url", "")).startswith(("https://", "ssh://", "oci://")):
            yield at(item, f"is fetched from {item.spec.get('url')}")


@tree_policy(
    "FLUX012", "Flux takes a commit that stands alone from any branch, merged or not", "name spec.ref.branch beside it"
)
def _commit_of_a_branch(tree: Tree) -> Iterator[Found]:
    for item in tree.of("GitRepository"):
        ref = item.spec.get("ref", {})
        if "secretRef" in item.spec and ref.get("commit") and not ref.get("branch"):
            yield at(item, f"follows commit {ref['commit']} of whatever branch")


@tree_policy("FLUX013", "a list that generates or patches applies what no file shows", "keep its resources alone")
def _lists_only(tree: Tree) -> Iterator[Found]:
    for listing in tree.of("Kustomization", group=KUSTOMIZE):
        place = Place.of(listing.path)
        others = sorted(listing.data.keys() - {"apiVersion", "kind", "resources"})
        if others and place is not None and place.area != APPS:
            yield at(listing, f"has {', '.join(others)}")


@tree_policy(
    "FLUX014", "what anybody signed is not what its publisher made", "set verify.matchOIDCIdentity, or its secretRef"
)
def _signer_is_known(tree: Tree) -> Iterator[Found]:
    for item in tree.of("OCIRepository"):
        verify = item.spec.get("verify")
        if verify is not None and not (verify.get("matchOIDCIdentity") or verify.get("secretRef")):
            yield at(item, "is taken whoever signed it")


@tree_policy("HELM001", "a range upgrades without a commit", "give the chart's exact version")
def _exact_version(tree: Tree) -> Iterator[Found]:
    for item, version in _chart_versions(tree):
        if not re.fullmatch(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.-]+)?", version):
            yield at(item, f"has the version '{version}'")


def _chart_versions(tree: Tree) -> Iterator[tuple[Item, str]]:
    for item in tree.of("HelmRelease"):
        if "chartRef" not in item.spec:
            yield item, str(item.spec["chart"]["spec"].get("version", ""))
    for item in tree.of("OCIRepository"):
        yield item, str(item.spec.get("ref", {}).get("tag", ""))


@tree_policy("HELM002", "a release that outlasts its layer makes both fail in turns", "shorten spec.timeout")
def _shorter_than_layer(tree: Tree) -> Iterator[Found]:
    for item in tree.of("HelmRelease"):
        layer = tree.layer_of(item)
        if layer and _seconds(item.spec.get("timeout", "5m")) >= _seconds(layer.spec.get("timeout", "5m")):
            yield at(item, f"may take {item.spec.get('timeout', '5m')}, as long as its layer {layer.name}")


def _seconds(duration: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


@tree_policy("HELM003", "what is changed or deleted by hand stays so", "set driftDetection.mode: enabled")
def _drift(tree: Tree) -> Iterator[Found]:
    for item in tree.of("HelmRelease"):
        if item.spec.get("driftDetection", {}).get("mode") != "enabled":
            yield at(item, "does not repair drift")


@tree_policy("HELM004", "Helm never upgrades CRDs by itself", "set install.crds and upgrade.crds: CreateReplace")
def _crds(tree: Tree) -> Iterator[Found]:
    for item in tree.of("HelmRelease"):
        if any(item.spec.get(step, {}).get("crds") != "CreateReplace" for step in ("install", "upgrade")):
            yield at(item, "does not upgrade the CRDs of its chart")


@tree_policy(
    "HELM005", "a release that failed once stays failed", "set a strategy or remediation for install and for upgrade"
)
def _remediation(tree: Tree) -> Iterator[Found]:
    for item in tree.of("HelmRelease"):
        for step in ("install", "upgrade"):
            settings = item.spec.get(step, {})
            if not (settings.get("strategy") or settings.get("remediation", {}).get("retries")):
                yield at(item, f"gives up after one failed {step}")


@tree_policy("HELM006", "an address of oci:// is read as a web page without its type", "set type: oci")
def _oci_type(tree: Tree) -> Iterator[Found]:
    for item in tree.of("HelmRepository"):
        if str(item.spec.get("url", "")).startswith("oci://") != (item.spec.get("type") == "oci"):
            yield at(item, f"has the type {item.spec.get('type', 'default')}")

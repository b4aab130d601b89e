"""Where each object of an environment goes in the GitOps repository, and how Flux installs the charts.

Intervals, timeouts and strategies of Flux objects: Flux 2.9 API reference and docs/decisions/0006-flux-objects.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.quantities import Minutes
from constructs_lib.environment import Environment
from constructs_lib.kit import (
    DEPLOY_KEY_SECRET,
    FLUX_INTERVAL,
    FLUX_NAMESPACE,
    FLUX_RELEASE,
    FLUX_SOURCE,
    HISTORY,
    KEEP_IN_FLUX,
    PLATFORM_ACCOUNT,
    RETRIES,
    Layer,
    Manifest,
    Release,
    manifest,
)
from gitops_render.charts import fetched, repository, repository_name, verified
from gitops_render.layers import (
    flux_kustomization,
    flux_layers,
    health_check_exprs,
    layers_kustomization,
    source_kind,
)
from gitops_render.objects import Identity, Item
from gitops_render.paths import (
    APPS,
    CLUSTER,
    KUSTOMIZATION,
    PLATFORM_SOURCE,
    SOURCES,
    Place,
    layers_file,
    layers_folder,
    root_file,
    settings_file,
    source_file,
)
from gitops_render.yaml_output import to_yaml

DRIFT_IGNORED = [
    # Written by the Prometheus operator's webhook (fluxcd.io, HelmRelease, "Drift detection").
    {"target": {"kind": "PrometheusRule"}, "paths": ["/metadata/annotations/prometheus-operator-validated"]},
]
Files = dict[PurePosixPath, bytes]
"""Files by their path in the GitOps repository."""


class Rendered(NamedTuple):
    """What rendering an environment gives: files that it owns, and files that it only writes where there is none.

    It owns what is `about` the tree too, which nobody applies.
    """

    owned: Files
    seeds: Files
    about: Mapping[PurePosixPath, bytes] = MappingProxyType({})

    @property
    def written(self) -> Files:
        """All that rendering owns."""
        return {**self.owned, **self.about}


def render(env: Environment) -> Rendered:
    """Return the files of `env`. In apply mode Flux has no platform to apply, only what is added to the root by hand.

    Raises `ConfigError` if two objects have the same path or identity, naming both.
    """
    layers = env.layers if env.mode == "render" else ()
    files = [*_root(env), *_sources(env, layers)]
    for layer in layers:
        folder = Place(env.name, *layer.id).path
        files += [(folder / _file_name(item), item) for item in _flux_objects(layer)]
    _refuse_doubles(files)
    owned = {path: to_yaml(item) for path, item in files}
    owned |= _listings(env, owned)
    about = {settings_file(env.name): to_yaml(env.model_dump(mode="json"))}
    return Rendered(owned, _seeds(env, layers), about)


def _root(env: Environment) -> Iterator[tuple[PurePosixPath, Manifest]]:
    """Yield what the cluster reads first. The root lists its files, or Flux would read the layers from its branch."""
    source, layers = source_file(env.name), layers_file(env.name)
    applied = flux_layers(env)
    yield root_file(env.name), listing([source.name, layers.name] if applied else [source.name])
    if applied:
        yield layers, layers_kustomization(env)
    for layer in applied:
        yield layers_folder(env.name) / f"{layer.name}.yaml", flux_kustomization(env, layer)


def _flux_objects(layer: Layer) -> Iterator[Manifest]:
    for item in layer.objects:
        if not isinstance(item, Release):
            yield item
            continue
        yield helm_release(item, layer)
        if item.chart.is_verified:
            yield verified(item.chart)


def helm_release(release: Release, layer: Layer) -> Manifest:
    """Return the HelmRelease of `release`, which waits for its objects as long and as far as its layer says.

    It lives beside its source, in Flux's own namespace, as lock-down needs.
    """
    undone = {"retries": RETRIES.undone, "remediateLastFailure": True, "strategy": "rollback"}
    upgrade: Manifest = (
        {"cleanupOnFail": True, "remediation": undone} if release.is_undone else _retried(RETRIES.upgrade)
    )
    spec: Manifest = {
        "interval": FLUX_INTERVAL,
        "timeout": layer.release_timeout,
        "releaseName": release.name,
        "targetNamespace": release.namespace,
        "storageNamespace": release.namespace,
        "serviceAccountName": PLATFORM_ACCOUNT,
        "maxHistory": HISTORY,
        **fetched(release.chart),
        "install": {"crds": "CreateReplace", **_retried(RETRIES.install)},
        "upgrade": {"crds": "CreateReplace", **upgrade},
        "driftDetection": {"mode": "enabled", "ignore": DRIFT_IGNORED},
        "values": release.values,
    }
    if layer.ready:
        spec["healthCheckExprs"] = health_check_exprs(layer.ready)
    item = manifest(FLUX_RELEASE, "HelmRelease", release.name, FLUX_NAMESPACE, spec=spec)
    if release.stateful:
        item["metadata"]["annotations"] = KEEP_IN_FLUX
    return item


def _retried(after: Minutes) -> Manifest:
    return {"strategy": {"name": "RetryOnFailure", "retryInterval": after}}


def _sources(env: Environment, layers: Iterable[Layer]) -> Iterator[tuple[PurePosixPath, Manifest]]:
    """Yield one HelmRepository for each chart repository in use; a signed chart has a source of its own."""
    charts = [release.chart for layer in layers for release in layer.releases if not release.chart.is_verified]
    for name, chart in sorted({repository_name(chart): chart for chart in charts}.items()):
        yield Place(env.name, SOURCES).path / f"{name}.yaml", repository(chart)


def listing(files: list[str]) -> Manifest:
    """A kustomize file: it has no metadata and is never sent to a cluster."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files}


def _listings(env: Environment, owned: Files) -> Files:
    """Return a `kustomization.yaml` for each folder of objects, so that what Flux applies is what is listed."""
    folders: dict[str, list[str]] = {}
    for path in owned:
        folder, _, name = str(path).rpartition("/")
        folders.setdefault(folder, []).append(name)
    del folders[str(Place(env.name, CLUSTER).path)]
    return {PurePosixPath(folder, KUSTOMIZATION): to_yaml(listing(sorted(names))) for folder, names in folders.items()}


def _seeds(env: Environment, layers: Sequence[Layer]) -> Files:
    """What a repository starts with: `source.yaml` belongs to promotion, `apps` to its teams, `sealed` to `seal`."""
    sealed = (Place(env.name, *layer.id) for layer in layers if layer.sealed)
    empty = (*(Place(env.name, APPS, name) for name in env.applications), *sealed)
    return {
        source_file(env.name): to_yaml(_source(env)),
        **{place.path / KUSTOMIZATION: to_yaml(listing([])) for place in empty},
    }


def _source(env: Environment) -> Manifest:
    spec: Manifest = {"interval": "1m", "secretRef": {"name": DEPLOY_KEY_SECRET}}
    if env.source is None:
        spec |= {"url": env.gitops.ssh_url, "ref": {"branch": env.gitops.default_branch}}
    else:
        spec |= {"endpoint": env.source.place, "bucketName": env.source.bucket, "region": env.source.region}
        if env.source.ca_bundle is not None:
            spec["certSecretRef"] = {"name": DEPLOY_KEY_SECRET}
    return manifest(FLUX_SOURCE, source_kind(env), PLATFORM_SOURCE, FLUX_NAMESPACE, spec=spec)


def _file_name(item: Manifest) -> str:
    """Return `kind-namespace-name.yaml`; what lies in no namespace, or in Flux's own, goes without."""
    namespace = item["metadata"].get("namespace", FLUX_NAMESPACE)
    parts = [item["kind"].lower(), *([] if namespace == FLUX_NAMESPACE else [namespace]), item["metadata"]["name"]]
    return f"{'-'.join(parts)}.yaml"


def _refuse_doubles(files: list[tuple[PurePosixPath, Manifest]]) -> None:
    paths: set[PurePosixPath] = set()
    owners: dict[Identity, PurePosixPath] = {}
    for path, item in files:
        if path in paths:
            raise ConfigError(f"{path}: two objects would be written to this file; rename one of them")
        paths.add(path)
        identity = Item(path, item).identity
        if identity in owners:
            raise ConfigError(f"{path}: {identity} is in {owners[identity]} too; remove one of them")
        owners[identity] = path

"""Where each object of an environment goes in the GitOps repository, and the Flux objects that apply it.

Intervals, timeouts and strategies of Flux objects: Flux 2.9 API reference and docs/decisions/0006-flux-objects.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.quantities import Minutes
from constructs_lib.environment import Environment
from constructs_lib.kit import HISTORY, KEEP_IN_FLUX, Chart, Layer, LayerId, Manifest, Release, manifest
from constructs_lib.platform import baseline, vault_eso
from gitops_render.yaml_output import to_yaml

FLUX_NAMESPACE = baseline.FLUX_NAMESPACE
FLUX_ACCOUNT = "kustomize-controller"
"""Flux's own account, for what has to be there before the platform's account is."""
DRIFT_IGNORED = [
    # Written by the Prometheus operator's webhook (fluxcd.io, HelmRelease, "Drift detection").
    {"target": {"kind": "PrometheusRule"}, "paths": ["/metadata/annotations/prometheus-operator-validated"]},
]
PLATFORM_SOURCE = "platform"
SOURCES = LayerId("platform", "sources")

Tree = dict[PurePosixPath, bytes]
"""Files by their path in the GitOps repository."""


class Rendered(NamedTuple):
    """What rendering an environment gives: files that it owns, and files that it only writes where there is none."""

    owned: Tree
    seeds: Tree


def render(env: Environment) -> Rendered:
    """Return the files of `env`. In apply mode Flux has no platform to apply, only what is added to the root by hand.

    Raises `ConfigError` if two objects have the same path or identity, naming both.
    """
    cluster = PurePosixPath("clusters", env.name)
    layers = env.layers if env.mode == "render" else ()
    files = [(cluster / "kustomization.yaml", _kustomize(["source.yaml", "tiers.yaml"] if layers else ["source.yaml"]))]
    if layers:
        tiers = [_sources_tier(env), *(_tier(env, layer) for layer in layers), _apps_tier(env)]
        files += [(cluster / "tiers.yaml", _tiers(env))]
        files += [(cluster / "tiers" / f"{item['metadata']['name']}.yaml", item) for item in tiers]
    files += [(_sources_folder(env) / f"{item['metadata']['name']}.yaml", item) for item in _sources(layers)]
    for layer in layers:
        folder = layer_folder(env, layer.id)
        files += [(folder / _file_name(item), item) for item in _flux_objects(layer)]
    _refuse_doubles(files)
    owned = {path: to_yaml(item) for path, item in files}
    owned |= _kustomizations(owned)
    return Rendered(owned, seeds=_seeds(env, layers))


def layer_folder(env: Environment, layer: LayerId) -> PurePosixPath:
    """Return the folder of a layer, such as `platform/traefik/sandbox/configs`."""
    return PurePosixPath("platform", layer.area, env.name, layer.part)


def _sources_folder(env: Environment) -> PurePosixPath:
    return PurePosixPath("platform", "sources", env.name)


def _flux_objects(layer: Layer) -> Iterator[Manifest]:
    for item in layer.objects:
        yield helm_release(item, layer.release_timeout) if isinstance(item, Release) else item


def helm_release(release: Release, timeout: Minutes) -> Manifest:
    """Return the HelmRelease of `release`.

    It lives beside its source, in Flux's own namespace, as lock-down needs, and may take as long as `timeout` says.
    """
    upgrade: Manifest = (
        {"cleanupOnFail": True, "remediation": {"retries": 3, "remediateLastFailure": True, "strategy": "rollback"}}
        if release.is_undone
        else {"strategy": {"name": "RetryOnFailure", "retryInterval": "5m"}}
    )
    spec: Manifest = {
        "interval": "1h",
        "timeout": timeout,
        "releaseName": release.name,
        "targetNamespace": release.namespace,
        "storageNamespace": release.namespace,
        "serviceAccountName": baseline.PLATFORM_ACCOUNT,
        "maxHistory": HISTORY,
        "chart": _chart(release.chart),
        "install": {"crds": "CreateReplace", "strategy": {"name": "RetryOnFailure", "retryInterval": "3m"}},
        "upgrade": {"crds": "CreateReplace", **upgrade},
        "driftDetection": {"mode": "enabled", "ignore": DRIFT_IGNORED},
        "values": release.values,
    }
    item = manifest("helm.toolkit.fluxcd.io/v2", "HelmRelease", release.name, FLUX_NAMESPACE, spec=spec)
    if release.stateful:
        item["metadata"]["annotations"] = KEEP_IN_FLUX
    return item


def _chart(chart: Chart) -> Manifest:
    source = {"kind": "HelmRepository", "name": source_name(chart)}
    return {"spec": {"chart": chart.name, "version": chart.version, "interval": "1h", "sourceRef": source}}


def source_name(chart: Chart) -> str:
    """Return the name of the HelmRepository of a chart's repository, made from its address."""
    address = chart.repository.split("://", 1)[1].rstrip("/")
    return "".join(letter if letter.isalnum() else "-" for letter in address.lower()).strip("-")


def _sources(layers: Iterable[Layer]) -> Iterator[Manifest]:
    """Yield one HelmRepository for each chart repository in use."""
    charts = {source_name(release.chart): release.chart for layer in layers for release in layer.releases}
    for name, chart in sorted(charts.items()):
        spec: Manifest = {"interval": "1h", "url": chart.repository}
        if chart.is_oci:
            spec["type"] = "oci"
        yield manifest("source.toolkit.fluxcd.io/v1", "HelmRepository", name, FLUX_NAMESPACE, spec=spec)


def _tier(env: Environment, layer: Layer) -> Manifest:
    needs_source = (SOURCES,) if layer.releases else ()
    tier = _flux_kustomization(
        str(layer.id),
        path=layer_folder(env, layer.id),
        timeout=layer.timeout,
        after=[str(needed) for needed in (*needs_source, *layer.after)],
    )
    if layer.id not in (baseline.NAMESPACES, baseline.RBAC):
        tier["spec"]["serviceAccountName"] = baseline.PLATFORM_ACCOUNT
    if layer.ready:
        tier["spec"]["healthCheckExprs"] = [
            {"apiVersion": ready.api_version, "kind": ready.kind, "current": ready.current} for ready in layer.ready
        ]
    if layer.sealed:
        tier["spec"]["decryption"] = {"provider": "sops", "secretRef": {"name": vault_eso.AGE_KEY_SECRET}}
    return tier


def _apps_tier(env: Environment) -> Manifest:
    """Applications come last, with rights in their own namespaces alone; a broken backend of telemetry is no reason."""
    after = sorted(str(layer.id) for layer in env.layers if layer.blocks_apps)
    path = PurePosixPath("apps", env.name)
    tier = _flux_kustomization("apps", path=path, timeout="10m", after=after)
    tier["spec"]["serviceAccountName"] = baseline.APPS_ACCOUNT
    return tier


def _sources_tier(env: Environment) -> Manifest:
    return _flux_kustomization(str(SOURCES), path=_sources_folder(env), timeout="5m", after=[])


def _tiers(env: Environment) -> Manifest:
    """The tiers come from the promoted commit too, so that a component cannot arrive before its files do."""
    path = PurePosixPath("clusters", env.name, "tiers")
    return _flux_kustomization("tiers", path=path, timeout="5m", after=[], wait=False)


def _flux_kustomization(
    name: str, *, path: PurePosixPath, timeout: str, after: list[str], wait: bool = True
) -> Manifest:
    spec: Manifest = {
        "interval": "1h",
        "retryInterval": "2m",
        "timeout": timeout,
        "path": f"./{path}",
        "prune": True,
        "wait": wait,
        "force": False,
        "serviceAccountName": FLUX_ACCOUNT,
        "sourceRef": {"kind": "GitRepository", "name": PLATFORM_SOURCE},
    }
    if after:
        spec["dependsOn"] = [{"name": needed} for needed in after]
    return manifest("kustomize.toolkit.fluxcd.io/v1", "Kustomization", name, FLUX_NAMESPACE, spec=spec)


def _kustomize(files: list[str]) -> Manifest:
    """A kustomize file: it has no metadata and is never sent to a cluster."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files}


def _kustomizations(owned: Tree) -> Tree:
    """Return a `kustomization.yaml` for each folder of objects, so that what Flux applies is what is listed."""
    folders: dict[PurePosixPath, list[str]] = {}
    for path in owned:
        if path.name not in {"kustomization.yaml", "tiers.yaml"}:
            folders.setdefault(path.parent, []).append(path.name)
    return {folder / "kustomization.yaml": to_yaml(_kustomize(sorted(names))) for folder, names in folders.items()}


def _seeds(env: Environment, layers: Sequence[Layer]) -> Tree:
    """What a repository starts with: `source.yaml` belongs to promotion, `apps` to its teams, `sealed` to `seal`."""
    source = manifest(
        "source.toolkit.fluxcd.io/v1",
        "GitRepository",
        PLATFORM_SOURCE,
        FLUX_NAMESPACE,
        spec={
            "interval": "1m",
            "url": env.gitops.ssh_url,
            "ref": {"branch": env.gitops.default_branch},
            "secretRef": {"name": "flux-system"},
        },
    )
    sealed = (layer_folder(env, layer.id) for layer in layers if layer.sealed)
    empty = (PurePosixPath("apps", env.name), *sealed)
    seeds = {folder / "kustomization.yaml": to_yaml(_kustomize([])) for folder in empty}
    return {PurePosixPath("clusters", env.name, "source.yaml"): to_yaml(source), **seeds}


def _file_name(item: Manifest) -> str:
    """Return `kind-namespace-name.yaml`; what lies in no namespace, or in Flux's own, goes without."""
    namespace = item["metadata"].get("namespace", FLUX_NAMESPACE)
    parts = [item["kind"].lower(), *([] if namespace == FLUX_NAMESPACE else [namespace]), item["metadata"]["name"]]
    return f"{'-'.join(parts)}.yaml"


def _refuse_doubles(files: list[tuple[PurePosixPath, Manifest]]) -> None:
    paths: set[PurePosixPath] = set()
    owners: dict[tuple[str, ...], PurePosixPath] = {}
    for path, item in files:
        if path in paths:
            raise ConfigError(f"{path}: two objects would be written to this file; rename one of them")
        paths.add(path)
        metadata = item.get("metadata")
        if metadata is None:
            continue
        group = item["apiVersion"].rpartition("/")[0]
        identity = (group, item["kind"], metadata.get("namespace", ""), metadata["name"])
        if identity in owners:
            raise ConfigError(f"{path}: {' '.join(identity).strip()} is in {owners[identity]} too; remove one of them")
        owners[identity] = path

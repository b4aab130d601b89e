"""What Flux applies in an environment, and in which order: sources, the platform's layers, applications.

Intervals, timeouts and strategies of Flux objects: Flux 2.9 API reference and docs/decisions/0006-flux-objects.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from constructs_lib.base.quantities import Minutes
from constructs_lib.base.version import LABEL, VERSION
from constructs_lib.environment import Environment
from constructs_lib.kit import (
    FLUX_INTERVAL,
    FLUX_KUSTOMIZATION,
    FLUX_NAMESPACE,
    PLATFORM_ACCOUNT,
    RETRIES,
    Layer,
    LayerId,
    Manifest,
    Ready,
    app_account,
    manifest,
)
from constructs_lib.platform import baseline, vault_eso
from gitops_render.paths import APPS, LAYERS, PLATFORM_SOURCE, SOURCES, Place, layers_folder, to_flux

FLUX_ACCOUNT = "kustomize-controller"
"""Flux's own account, for what has to be there before the platform's account is."""
BEFORE_ACCOUNT = (baseline.NAMESPACES, baseline.RBAC)
SOURCES_LAYER = LayerId("platform", SOURCES)


@dataclass(frozen=True)
class FluxLayer:
    """What one Flux Kustomization applies, and after which others."""

    name: str
    area: str
    place: Place
    after: tuple[str, ...] = ()
    timeout: Minutes = Minutes("5m")
    account: str = FLUX_ACCOUNT
    ready: tuple[Ready, ...] = ()
    sealed: bool = False


def flux_layers(env: Environment) -> tuple[FluxLayer, ...]:
    """Return what Flux applies in `env`; in apply mode that is nothing but what is added to the root by hand."""
    if env.mode == "apply":
        return ()
    sources = FluxLayer(str(SOURCES_LAYER), SOURCES_LAYER.area, Place(env.name, SOURCES))
    return (sources, *(_of_platform(env, layer) for layer in env.layers), *_of_applications(env))


def _of_platform(env: Environment, layer: Layer) -> FluxLayer:
    needed = (*([SOURCES_LAYER] if layer.releases else []), *layer.after)
    return FluxLayer(
        str(layer.id),
        layer.id.area,
        Place(env.name, *layer.id),
        after=tuple(map(str, needed)),
        timeout=layer.timeout,
        account=FLUX_ACCOUNT if layer.id in BEFORE_ACCOUNT else PLATFORM_ACCOUNT,
        ready=layer.ready,
        sealed=layer.sealed,
    )


def _of_applications(env: Environment) -> Iterator[FluxLayer]:
    """Applications come last, each with rights in its own namespace; a broken backend of telemetry is no reason."""
    after = tuple(sorted(str(layer.id) for layer in env.layers if layer.blocks_apps))
    for name in env.applications:
        place, account = Place(env.name, APPS, name), app_account(name)
        yield FluxLayer(f"{APPS}-{name}", APPS, place, after=after, timeout=Minutes("10m"), account=account)


def flux_kustomization(env: Environment, layer: FluxLayer) -> Manifest:
    """Return the Flux Kustomization that applies `layer`, and that is ready once all in it is."""
    source = source_kind(env)
    spec = {**_spec(layer.place.path, layer.timeout, layer.account, source), **dict(_details(layer))}
    return _kustomization(layer.name, spec)


def source_kind(env: Environment) -> str:
    """Return the kind of the source in `source.yaml`, which every layer reads."""
    return "GitRepository" if env.source is None else "Bucket"


def layers_kustomization(env: Environment) -> Manifest:
    """Return the Flux Kustomization that applies all others.

    They come from the promoted commit too, so that a component cannot arrive before its files do. It does not wait, or
    it would be unready while any of them is. It says by which version of this project it was rendered.
    """
    spec = _spec(layers_folder(env.name), Minutes("5m"), FLUX_ACCOUNT, source_kind(env))
    item = _kustomization(LAYERS, {**spec, "wait": False})
    item["metadata"]["labels"] = {LABEL: VERSION}
    return item


def _spec(folder: PurePosixPath, timeout: Minutes, account: str, source: str) -> Manifest:
    return {
        "interval": FLUX_INTERVAL,
        "retryInterval": RETRIES.layer,
        "timeout": timeout,
        "path": to_flux(folder),
        "prune": True,
        "wait": True,
        "force": False,
        "serviceAccountName": account,
        "sourceRef": {"kind": source, "name": PLATFORM_SOURCE},
    }


def _details(layer: FluxLayer) -> Iterator[tuple[str, object]]:
    if layer.after:
        yield "dependsOn", [{"name": needed} for needed in layer.after]
    if layer.ready:
        yield "healthCheckExprs", health_check_exprs(layer.ready)
    if layer.sealed:
        yield "decryption", {"provider": "sops", "secretRef": {"name": vault_eso.AGE_KEY_SECRET}}


def health_check_exprs(conditions: Iterable[Ready]) -> list[Manifest]:
    """Return when Flux counts objects as ready: of a layer, or of a release (helm-controller v1.6 `waitStrategy`)."""
    return [{"apiVersion": one.api_version, "kind": one.kind, "current": one.current} for one in conditions]


def _kustomization(name: str, spec: Manifest) -> Manifest:
    return manifest(FLUX_KUSTOMIZATION, "Kustomization", name, FLUX_NAMESPACE, spec=spec)

"""The core types of the platform: a component yields layers of objects, which both modes read.

Nothing here or in `platform/` imports cdktf, so that rendering needs no Node.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, final

from pydantic import BaseModel, ConfigDict, Field

from constructs_lib.errors import ConfigError, unknown

if TYPE_CHECKING:
    from constructs_lib.environment import Environment
    from constructs_lib.monitoring import Monitoring
    from constructs_lib.network import Link

Manifest: TypeAlias = dict[str, Any]
"""One Kubernetes object as plain data. Its shape is checked against the CRD schemas, not by the type checker."""

Values: TypeAlias = dict[str, Any]
"""The values of a Helm release as plain data."""


class Settings(BaseModel):
    """The base of everything that an environment file may say: frozen, strict, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True)
class Chart:
    """A Helm chart at an exact version.

    `repository` is an `https://` address with an index, or an `oci://` address without the chart's name.
    """

    repository: str
    name: str
    version: str

    @property
    def is_oci(self) -> bool:
        """Whether the repository is an OCI registry."""
        return self.repository.startswith("oci://")


@dataclass(frozen=True)
class Release:
    """A chart installed under a name with values. It has no field that only Flux or only OpenTofu understands.

    A `stateful` release holds data, or the kinds of objects that do: it is neither rolled back nor pruned.
    """

    name: str
    namespace: str
    chart: Chart
    values: Values = field(default_factory=dict[str, Any])
    stateful: bool = False


class LayerId(NamedTuple):
    """The name of a layer: it names the Flux Kustomization (`area-part`) and its folder (`area/part`)."""

    area: str
    part: str

    def __str__(self) -> str:
        return f"{self.area}-{self.part}"


class Ready(NamedTuple):
    """When objects of a kind count as ready: `current` is a CEL expression on the object (Flux `healthCheckExprs`)."""

    api_version: str
    kind: str
    current: str


@dataclass(frozen=True)
class Layer:
    """Objects that are applied together and waited for: one Flux Kustomization, one apply step.

    `after` names the layers that must be ready before, `timeout` is a Go duration for the wait, `ready` says when
    custom resources count as ready. A `sealed` layer also holds the SOPS files that `seal` writes into its folder.
    Applications wait for a layer unless `blocks_apps` is false. The order of the objects inside a layer means nothing.
    """

    id: LayerId
    objects: tuple[Release | Manifest, ...] = ()
    after: tuple[LayerId, ...] = ()
    timeout: str = "10m"
    ready: tuple[Ready, ...] = ()
    sealed: bool = False
    blocks_apps: bool = True

    @property
    def releases(self) -> tuple[Release, ...]:
        """The Helm releases of this layer."""
        return tuple(item for item in self.objects if isinstance(item, Release))

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The plain Kubernetes objects of this layer."""
        return tuple(item for item in self.objects if not isinstance(item, Release))


class Component(Settings, ABC):
    """One service of the platform: its fields are its settings, `build` turns them into layers."""

    enabled: bool = Field(default=True, description="Whether the environment has this component.")
    extra_values: dict[str, Values] = Field(
        default_factory=dict,
        description="Helm values by release name, merged last: maps key by key, everything else is replaced.",
    )

    @abstractmethod
    def build(self, env: Environment) -> Iterable[Layer]:
        """Return the layers of this component. Pure: the same environment gives equal layers."""

    def namespaces(self, env: Environment) -> Iterable[Manifest]:
        """Return the namespaces that this component's pods run in; `baseline` makes and closes them."""
        return ()

    def links(self, env: Environment) -> Iterable[Link]:
        """Return who talks to whom: network policies on both sides come from these links."""
        return ()

    @abstractmethod
    def monitoring(self, env: Environment) -> Monitoring:
        """Return what this component knows about its own health: objectives, alerts and a dashboard."""

    @final
    def layers(self, env: Environment) -> Iterator[Layer]:
        """Yield the layers with `extra_values` merged and the environment's chart mirror in place.

        Raises `ConfigError` if `extra_values` names a release that the component does not have.
        """
        layers = tuple(self.build(env))
        releases = [release.name for layer in layers for release in layer.releases]
        for name in self.extra_values:
            if name not in releases:
                raise ConfigError(f"extra_values: {unknown('release', name, releases)}")
        for layer in layers:
            objects = (self._final(item, env) if isinstance(item, Release) else item for item in layer.objects)
            yield replace(layer, objects=tuple(objects))

    def _final(self, release: Release, env: Environment) -> Release:
        values = merged(release.values, self.extra_values.get(release.name, {}))
        return replace(release, chart=env.mirrored(release.chart), values=values)


def merged(base: Values, over: Values) -> Values:
    """Return `base` with `over` on top: maps are merged key by key, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def in_order(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers so that each comes after those it names in `after`.

    Raises `ConfigError` for two layers with one name, an absent `after`, or a loop, naming both ends.
    """
    by_id: dict[LayerId, Layer] = {}
    for layer in layers:
        if layer.id in by_id:
            raise ConfigError(f"platform: two layers are named {layer.id}; rename one of them")
        by_id[layer.id] = layer
    for layer in layers:
        for needed in layer.after:
            if needed not in by_id:
                raise ConfigError(
                    f"platform: layer {layer.id} needs layer {needed}, which no enabled component provides; "
                    f"enable its component or disable the one of {layer.id}"
                )
    try:
        order = TopologicalSorter({layer.id: layer.after for layer in layers}).static_order()
        return [by_id[name] for name in order]
    except CycleError as error:
        loop = " -> ".join(map(str, error.args[1]))
        raise ConfigError(f"platform: layers wait for each other in a loop: {loop}; remove one of these") from None

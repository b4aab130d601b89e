"""Layers: what is applied together, and after what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from constructs_lib.base.quantities import Minutes
from constructs_lib.kit.chart import Release
from constructs_lib.kit.objects import Manifest


class LayerId(NamedTuple):
    """The name of a layer: it names the Flux Kustomization (`area-part`) and its folder (`area/part`)."""

    area: str
    part: str

    def __str__(self) -> str:
        return f"{self.area}-{self.part}"


def is_true(condition: str) -> str:
    """Return the CEL expression on an object that holds while this condition of it does."""
    return f"has(status.conditions) && status.conditions.exists(e, e.type == '{condition}' && e.status == 'True')"


IS_READY = is_true("Ready")


class Ready(NamedTuple):
    """When objects of a kind count as ready: `current` is a CEL expression on the object (Flux `healthCheckExprs`)."""

    api_version: str
    kind: str
    current: str


@dataclass(frozen=True)
class Layer:
    """Objects that are applied together and waited for: one Flux Kustomization, one apply step.

    `after` names the layers that must be ready before, `timeout` is how long the wait may take, `ready` says when
    custom resources count as ready. A `sealed` layer also holds the SOPS files that `seal` writes into its folder.
    Applications wait for a layer unless `blocks_apps` is false. The order of the objects inside a layer means nothing.
    """

    id: LayerId
    objects: tuple[Release | Manifest, ...] = ()
    after: tuple[LayerId, ...] = ()
    timeout: Minutes = Minutes("10m")
    ready: tuple[Ready, ...] = ()
    sealed: bool = False
    blocks_apps: bool = True

    @property
    def release_timeout(self) -> Minutes:
        """How long each release may take: less than the layer, or both fail in turns."""
        return self.timeout.shorter

    @property
    def releases(self) -> tuple[Release, ...]:
        """The Helm releases of this layer."""
        return tuple(item for item in self.objects if isinstance(item, Release))

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The plain Kubernetes objects of this layer."""
        return tuple(item for item in self.objects if not isinstance(item, Release))

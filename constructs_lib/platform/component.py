"""What a component of the platform is: its fields are its settings, and it yields layers, which both modes read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, final

from pydantic import Field

from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.settings import Settings
from constructs_lib.health import Health
from constructs_lib.kit import Layer, Link, Manifest, Operator, Release, Values, merged

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


class Component(Settings, ABC):
    """One service of the platform: its fields are its settings, `build` turns them into layers."""

    operators: ClassVar[tuple[Operator, ...]] = ()
    """The operators that it installs: what `check` and other components have to know of them."""

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
    def health(self, env: Environment) -> Health:
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

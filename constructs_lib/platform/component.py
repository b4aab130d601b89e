"""What a component of the platform is: its fields are its settings, and it yields layers, which both modes read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, final

from pydantic import Field

from constructs_lib.base.change import FREE, Change, replaces
from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.settings import Settings
from constructs_lib.health import Health
from constructs_lib.kit import Layer, Link, Manifest, Operator, Release, Values, Workload, merged

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


class Component(Settings, ABC):
    """One service of the platform: its fields are its settings, `build` turns them into layers."""

    operators: ClassVar[tuple[Operator, ...]] = ()
    """The operators that it installs: what `check` and other components have to know of them."""

    enabled: Annotated[bool, Change(FREE, removed=replaces("the component, with all that it installed"))] = Field(
        default=True, description="Whether the environment has this component."
    )
    extra_values: dict[str, Values] = Field(
        default_factory=dict,
        examples=[{"traefik": {"logs": {"access": {"enabled": True}}}}],
        description="Helm values by release name, merged last: maps key by key, everything else is replaced.",
    )

    extra_spec: dict[str, Values] = Field(
        default_factory=dict,
        examples=[{"Cluster/main": {"logLevel": "debug"}}],
        description="Fields of the spec of objects, by <kind>/<name>, merged last as extra_values are.",
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

    def workloads(self, env: Environment) -> Iterable[Workload]:
        """Return its pods, with what they ask for by what its layers hold; operators' pods too."""
        return ()

    @abstractmethod
    def health(self, env: Environment) -> Health:
        """Return what this component knows about its own health: objectives, alerts and a dashboard."""

    @final
    def layers(self, env: Environment) -> Iterator[Layer]:
        """Yield the layers with `extra_values` and `extra_spec` merged and the environment's chart mirror in place.

        Raises `ConfigError` if one of them names a release or an object that the component does not have.
        """
        layers = tuple(self.build(env))
        releases = [release.name for layer in layers for release in layer.releases]
        objects = [_address(item) for layer in layers for item in layer.manifests if "spec" in item]
        for key, what, there in (("extra_values", "release", releases), ("extra_spec", "object", objects)):
            for name in getattr(self, key):
                if name not in there:
                    raise ConfigError(f"{key}: {unknown(what, name, there)}")
        for layer in layers:
            yield replace(layer, objects=tuple(self._final(item, env) for item in layer.objects))

    def _final(self, item: Release | Manifest, env: Environment) -> Release | Manifest:
        if isinstance(item, Release):
            values = merged(item.values, self.extra_values.get(item.name, {}))
            return replace(item, chart=env.mirrored(item.chart), values=values)
        extra = self.extra_spec.get(_address(item))
        return item if extra is None else {**item, "spec": merged(item["spec"], extra)}


def _address(item: Manifest) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"

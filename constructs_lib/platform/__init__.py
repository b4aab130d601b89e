"""The registry of the platform's components: YAML key, order, type and JSON Schema come from one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Annotated

from constructs_lib.base.change import Change, rolls
from constructs_lib.base.errors import ConfigError, unknown
from constructs_lib.base.settings import Settings
from constructs_lib.health import Health
from constructs_lib.kit import Layer, LayerId, Link, Manifest, Operator, Release, Workload, group
from constructs_lib.platform import applications
from constructs_lib.platform.baseline import Baseline
from constructs_lib.platform.cert_manager import CertManager
from constructs_lib.platform.cloudnative_pg import CloudnativePg
from constructs_lib.platform.component import Component
from constructs_lib.platform.external_dns import ExternalDns
from constructs_lib.platform.observability import Observability
from constructs_lib.platform.rabbitmq_operator import RabbitmqOperator
from constructs_lib.platform.traefik import Traefik
from constructs_lib.platform.valkey_operator import ValkeyOperator
from constructs_lib.platform.vault_eso import VaultEso

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


class Platform(Settings):
    """The components of an environment with their settings."""

    baseline: Annotated[Baseline, Change(rolls("pods whose namespace or network changes"))] = Baseline()
    vault_eso: Annotated[VaultEso, Change(rolls("External Secrets"))] = VaultEso()
    cert_manager: Annotated[CertManager, Change(rolls("cert-manager"))] = CertManager()
    traefik: Annotated[Traefik, Change(rolls("Traefik, one pod after another"))] = Traefik()
    external_dns: Annotated[ExternalDns, Change(rolls("ExternalDNS"))] = ExternalDns()
    cloudnative_pg: Annotated[CloudnativePg, Change(rolls("the operators of Postgres"))] = CloudnativePg()
    rabbitmq_operator: Annotated[RabbitmqOperator, Change(rolls("the operators of RabbitMQ"))] = RabbitmqOperator()
    valkey_operator: Annotated[ValkeyOperator, Change(rolls("the operator of Valkey"))] = ValkeyOperator()
    observability: Annotated[Observability, Change(rolls("the backends and collectors"))] = Observability()

    def no_cluster(self, component: str, name: str) -> str | None:
        """Return what is wrong with the name of a cluster of a component; nothing where it has it."""
        known = [one.name for one in getattr(self, component).clusters] if component in self.enabled else []
        if not known:
            return f"'{name}' is no cluster: {component} has none; add it or remove this"
        return None if name in known else unknown(f"cluster of {component}", name, known)

    @property
    def by_name(self) -> dict[str, Component]:
        """Every component, enabled or not, by its key."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @property
    def enabled(self) -> dict[str, Component]:
        """The components that are on, by their key, in the order of the fields."""
        return {name: component for name, component in self.by_name.items() if component.enabled}

    def layers(self, env: Environment) -> list[Layer]:
        """Return the layers of all components that are on, each after those it needs.

        Raises `ConfigError` as `in_order` does, and for two objects that would be one.
        """
        self._refuse_taken(env)
        by_name = {name: tuple(component.layers(env)) for name, component in self.enabled.items()}
        self._refuse_alone(env, by_name)
        by_name["applications"] = tuple(applications.layers(env))
        layers = in_order([layer for layers in by_name.values() for layer in layers])
        refuse_doubles(layers)
        return layers

    def _refuse_taken(self, env: Environment) -> None:
        """Raise `ConfigError` for an application in a namespace that a component has, or would have once it is on."""
        taken = {
            item["metadata"]["name"]: name
            for name, component in self.by_name.items()
            if name != "baseline"
            for item in component.namespaces(env)
        }
        problems = [
            f"applications.{name}: '{name}' is the namespace of {taken[name]}; choose another name"
            for name in env.applications
            if name in taken
        ]
        if problems:
            raise ConfigError(*problems)

    def _refuse_alone(self, env: Environment, by_name: Mapping[str, Sequence[Layer]]) -> None:
        """Raise `ConfigError` for components that come after one that is off."""
        there = {layer.id for layers in by_name.values() for layer in layers}
        absent = {
            name: {needed for layer in layers for needed in layer.after} - there for name, layers in by_name.items()
        }
        if not any(absent.values()):
            return
        off = {name: one for name, one in self.by_name.items() if name not in by_name}
        owner = {layer.id: name for name, component in off.items() for layer in component.build(env)}
        problems = {
            f"platform.{owner[needed]}.enabled: is false, and {name} needs it; set it to true, or set "
            f"platform.{name}.enabled to false"
            for name, layers in absent.items()
            for needed in layers
            if needed in owner
        }
        if problems:
            raise ConfigError(*sorted(problems))

    def namespaces(self, env: Environment) -> Iterator[Manifest]:
        """Yield the namespaces of all components that are on."""
        return (item for component in self.enabled.values() for item in component.namespaces(env))

    def links(self, env: Environment) -> Iterator[Link]:
        """Yield who talks to whom, of all components that are on."""
        return (link for component in self.enabled.values() for link in component.links(env))

    def workloads(self, env: Environment) -> Iterator[Workload]:
        """Yield the pods of all components that are on.

        Raises `ConfigError` where somebody's values are of another type than what is read of them.
        """
        for name, component in self.enabled.items():
            try:
                yield from component.workloads(env)
            except (AttributeError, KeyError, TypeError) as error:
                if not (component.extra_values or component.extra_spec):
                    raise
                what = f"platform.{name}: extra_values or extra_spec set something to another type than it has"
                raise ConfigError(f"{what} ({error}); correct that") from None

    def health(self, env: Environment) -> dict[str, Health]:
        """Return what each component that is on knows about its health, by its key."""
        return {name: component.health(env) for name, component in self.enabled.items()}


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


def refuse_doubles(layers: Iterable[Layer]) -> None:
    """Raise `ConfigError` for an object or release that two layers, or one twice, hold: Kubernetes would have one."""
    holders: dict[tuple[str, ...], LayerId] = {}
    for layer in layers:
        for item in layer.objects:
            key = _identity(item)
            if key in holders:
                where = f"{holders[key]} and {layer.id}" if holders[key] != layer.id else f"{layer.id}, twice"
                raise ConfigError(
                    f"platform: {' '.join(filter(None, key[1:]))} is in {where}; rename what makes one of them"
                )
            holders[key] = layer.id


def _identity(item: Release | Manifest) -> tuple[str, ...]:
    if isinstance(item, Release):
        return "", "release", item.namespace, item.name
    metadata = item["metadata"]
    return group(item["apiVersion"]), item["kind"], metadata.get("namespace", ""), metadata["name"]


OPERATORS: tuple[Operator, ...] = tuple(
    operator for component in Platform().by_name.values() for operator in component.operators
)
"""Every operator that a component may install."""

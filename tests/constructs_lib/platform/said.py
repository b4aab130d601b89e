"""What a component says, as text and flat data that its tests can state: values, links and settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo

from constructs_lib.base.settings import Settings
from constructs_lib.environment import Environment
from constructs_lib.kit import Operator, Outside, Pods, Udp
from constructs_lib.platform import Platform
from constructs_lib.platform.component import Component

BOUNDS = (Ge, Gt, Le, Lt, Len, MinLen, MaxLen)
OWN = frozenset(Component.model_fields) - {"enabled"}
"""What every component has, and test_component.py tests."""


def component_type(key: str) -> type[Component]:
    """Return the class of a component."""
    annotation = Platform.model_fields[key].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, Component)
    return annotation


def values(key: str, env: Environment) -> dict[str, dict[str, Any]]:
    """Return the Helm values of a component's releases, by release, with the path of each value as its key."""
    layers = env.platform.by_name[key].layers(env)
    return {release.name: dict(_flat(release.values)) for layer in layers for release in layer.releases}


def releases(key: str, env: Environment) -> dict[str, tuple[str, str, bool]]:
    """Return namespace, version of the chart, and whether it holds data, of each release of a component."""
    layers = env.platform.by_name[key].layers(env)
    return {
        item.name: (item.namespace, item.chart.version, item.stateful) for layer in layers for item in layer.releases
    }


def links(key: str, env: Environment) -> list[str]:
    """Return a line for each link of a component."""
    ways = env.platform.by_name[key].links(env)
    return [f"{end(source)} -> {end(target)}: {' '.join(map(port_of, ports))}" for source, target, ports in ways]


def operators(key: str) -> dict[str, tuple[str, ...]]:
    """Return what a component says of each operator, as lines: its groups, what holds data, webhook, budgets."""
    return {one.name: tuple(_known(one)) for one in component_type(key).operators}


def settings(key: str) -> dict[str, str]:
    """Return the default and the bounds of each setting of a component, and of the settings inside it."""
    return settings_of(component_type(key))


def settings_of(model: type[Settings]) -> dict[str, str]:
    """Return the same of any block."""
    return {
        f"{kind.__name__}.{name}": _field(field)
        for kind in _kinds(model)
        for name, field in kind.model_fields.items()
        if name not in OWN or not issubclass(kind, Component)
    }


def _known(operator: Operator) -> Iterator[str]:
    yield from (f"brings {group}" for group in operator.groups)
    yield from (f"{kind} holds data" for kind in operator.data)
    if operator.webhook is not None:
        yield f"webhook {end(operator.webhook.target)}: {' '.join(map(port_of, operator.webhook.ports))}"
    if operator.budget_label is not None:
        yield f"budgets by {operator.budget_label}"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def end(end: Pods | Outside) -> str:
    """Return one end of a link as text."""
    return f"{end.namespace}/{end.name}" if isinstance(end, Pods) else ",".join(end.ranges) or end.name or "outside"


def port_of(port: Any) -> str:
    """Return a port of a link as text."""
    if isinstance(port, Udp):
        return f"{port.number}/UDP"
    return str(port) if isinstance(port, int) else f"{port[0]}-{port[1]}"


def _field(field: FieldInfo) -> str:
    default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
    return " ".join([default, *(str(bound) for bound in field.metadata if isinstance(bound, BOUNDS))])


def _kinds(kind: type[Settings]) -> dict[type[Settings], None]:
    """Return a class of settings and those that its fields hold, each once."""
    kinds = {kind: None}
    for field in kind.model_fields.values():
        for inner in _settings_in(field.annotation):
            kinds |= _kinds(inner)
    return kinds


def _settings_in(annotation: Any) -> Iterator[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for inner in get_args(annotation):
        yield from _settings_in(inner)

"""What the folder of a component's tests must hold, and that its tests notice what the component says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from constructs_lib.environment import Environment
from constructs_lib.kit import Layer, Link, Release
from constructs_lib.platform.component import Component
from tests.constructs_lib.platform import said
from tests.constructs_lib.platform.collected import COMPONENTS, FOLDER, looked_up, metric_files, metrics
from tests.support import everything

ENV = everything()
every_component = pytest.mark.parametrize("component", COMPONENTS)


def own_test(component: str, name: str) -> Callable[[], None]:
    """Return the test that every component has under this name."""
    module = import_module(f"{__package__}.{component}.test_{component}")
    test: Callable[[], None] | None = getattr(module, name, None)
    assert test is not None, f"tests/constructs_lib/platform/{component}/test_{component}.py has no {name}()"
    return test


def notices(test: Callable[[], None]) -> bool:
    try:
        test()
    except (AssertionError, LookupError, TypeError, ValueError):
        return True
    return False


@every_component
def test_the_folder_holds_metrics_charts_and_cases(component: str) -> None:
    assert (FOLDER / component / "cases.py").exists()
    files = metric_files(component)
    assert files, f"{FOLDER / component}: no metrics.yaml with what the component's exporters show"
    for path in files:
        assert metrics(path), f"{path.name} of {component}: lists no metric; look up what the exporter shows, and where"
    charts = {item.chart.name for layer in ENV.platform.by_name[component].layers(ENV) for item in layer.releases}
    file = FOLDER / component / "chart_values.json"
    assert set(looked_up(component)) == charts, f"{file}: has to list the charts and no other; look their values up"


def test_no_folder_is_left_of_a_component_that_is_gone() -> None:
    assert {path.parent.name for path in FOLDER.glob("*/cases.py")} == set(COMPONENTS)


@every_component
def test_an_operator_that_is_gone_is_noticed(component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = said.component_type(component)
    if not kind.operators:
        return
    test = own_test(component, "test_operators")
    assert not notices(test)
    for operator in kind.operators:
        for changes in ({"groups": ()}, {"data": ()}, {"webhook": None}, {"budget_label": None}):
            changed = replace(operator, **changes)
            if changed != operator:
                rest = tuple(changed if item is operator else item for item in kind.operators)
                with monkeypatch.context() as patch:
                    patch.setattr(kind, "operators", rest)
                    assert notices(test), f"test_operators() of {component} says nothing of {operator.name}: {changes}"


@every_component
def test_a_value_that_is_gone_is_noticed(component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test, kind = own_test(component, "test_values"), said.component_type(component)
    assert not notices(test)
    releases = said.releases(component, ENV)
    for name in releases or ["RabbitmqCluster"]:
        with monkeypatch.context() as patch:
            patch.setattr(kind, "build", without(kind.build, name))
            assert notices(test), f"test_values() of {component} says nothing of {name}"


def without(build: Callable[..., Any], name: str) -> Callable[..., Iterator[Layer]]:
    """Return `build` with nothing in the release of this name, or in the objects of this kind."""

    def emptied(item: Any) -> Any:
        if isinstance(item, Release):
            return replace(item, values={}) if item.name == name else item
        return {**item, "spec": {}} if item["kind"] == name else item

    def changed(self: Component, env: Environment) -> Iterator[Layer]:
        for layer in build(self, env):
            yield replace(layer, objects=tuple(map(emptied, layer.objects)))

    return changed


@every_component
def test_a_link_that_is_gone_is_noticed(component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test, kind = own_test(component, "test_links"), said.component_type(component)
    links: list[Link] = list(ENV.platform.by_name[component].links(ENV))
    assert links
    assert not notices(test)
    for position, link in enumerate(links):
        rest = [*links[:position], *links[position + 1 :]]
        with monkeypatch.context() as patch:
            patch.setattr(kind, "links", returning(rest))
            assert notices(test), f"test_links() of {component} says nothing of {link}"


def returning(links: list[Link]) -> Callable[..., list[Link]]:
    def changed(self: Component, env: Environment) -> list[Link]:
        return links

    return changed


@every_component
def test_a_default_that_changed_is_noticed(component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test, kind = own_test(component, "test_settings"), said.component_type(component)
    assert not notices(test)
    for name in [name for name in kind.model_fields if name not in said.OWN]:
        with monkeypatch.context() as patch:
            patch.setattr(kind.model_fields[name], "default", "another")
            patch.setattr(kind.model_fields[name], "default_factory", None)
            assert notices(test), f"test_settings() of {component} says nothing of {name}"

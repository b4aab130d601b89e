"""The core types: order, merging of values, and who may name what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment import Environment
from constructs_lib.health import Health
from constructs_lib.kit import Chart, Layer, LayerId, Release, in_order, merged
from constructs_lib.platform.component import Component
from tests.support import environment

A, B, C = LayerId("a", "x"), LayerId("b", "x"), LayerId("c", "x")


def layer(name: LayerId, *after: LayerId) -> Layer:
    return Layer(name, (), after)


def test_layers_come_after_those_they_need() -> None:
    assert [item.id for item in in_order([layer(C, B), layer(B, A), layer(A)])] == [A, B, C]


def test_order_does_not_depend_on_luck() -> None:
    free = [layer(LayerId(name, "x")) for name in "zyxwv"]
    assert [item.id.area for item in in_order(free)] == list("zyxwv")


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([layer(A), layer(A)], "two layers are named a-x; rename one of them"),
        ([layer(A, B)], "layer a-x needs layer b-x, which no enabled component provides"),
        ([layer(A, B), layer(B, A)], "in a loop: a-x -> b-x -> a-x"),
    ],
)
def test_a_graph_that_cannot_be_ordered_names_both_ends(layers: list[Layer], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        in_order(layers)


def test_merging_goes_into_maps_and_replaces_the_rest() -> None:
    base = {"service": {"type": "LoadBalancer", "ports": [1, 2]}, "replicas": 1}
    over = {"service": {"ports": [3]}, "replicas": {"min": 2}}
    assert merged(base, over) == {"service": {"type": "LoadBalancer", "ports": [3]}, "replicas": {"min": 2}}
    assert base["service"] == {"type": "LoadBalancer", "ports": [1, 2]}


class Example(Component):
    """A component of the simplest kind."""

    def health(self, env: Environment) -> Health:
        raise NotImplementedError

    """A component of one release."""

    def build(self, env: Environment) -> Iterator[Layer]:
        chart = Chart("https://charts.example.org", "example", "1.2.3")
        yield Layer(A, (Release("example", "a", chart, {"x": {"y": 1}}),))


def test_extra_values_are_merged_last() -> None:
    (built,) = Example(extra_values={"example": {"x": {"z": 2}}}).layers(environment())
    assert built.releases[0].values == {"x": {"y": 1, "z": 2}}


def test_extra_values_of_an_unknown_release() -> None:
    with pytest.raises(ConfigError, match="unknown release 'exmple', known are example; did you mean 'example'"):
        list(Example(extra_values={"exmple": {}}).layers(environment()))

"""Layers in order, and graphs that have none."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Chart, Layer, LayerId, Manifest, Release, manifest
from constructs_lib.platform import in_order, refuse_doubles
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


RELEASE = Release("x", "n", Chart("https://charts.example", "x", "1.0.0"))


@pytest.mark.parametrize("item", [manifest("v1", "Secret", "x", "n"), manifest("v1", "Namespace", "x"), RELEASE])
def test_two_objects_that_would_be_one_are_refused(item: Manifest | Release) -> None:
    words = "release n x" if isinstance(item, Release) else f"{item['kind']} {'n ' * (item['kind'] == 'Secret')}x"
    with pytest.raises(ConfigError, match=f"platform: {words} is in a-x and b-x; rename what makes one of them"):
        refuse_doubles([Layer(A, (item,)), Layer(B, (item,))])
    with pytest.raises(ConfigError, match=f"platform: {words} is in a-x, twice; rename what makes one of them"):
        refuse_doubles([Layer(A, (item, item))])


def test_what_differs_in_anything_is_another_object() -> None:
    names = [
        ("v1", "Secret", "x", "n"),
        ("v1", "Secret", "x", "m"),
        ("v1", "Secret", "y", "n"),
        ("v1", "Pod", "x", "n"),
    ]
    items = [*(manifest(*name) for name in names), manifest("apps/v1", "Secret", "x", "n"), RELEASE]
    refuse_doubles([Layer(A, tuple(items))])


@pytest.mark.parametrize("mode", ["render", "apply"])
def test_a_namespace_of_an_application_that_the_platform_has_is_refused_in_both_modes(mode: str) -> None:
    env = environment(mode=mode, applications={"databases": {"owner": "a"}})
    with pytest.raises(
        ConfigError,
        match=r"applications\.databases: 'databases' is the namespace of cloudnative_pg; choose another",
    ):
        _ = env.layers

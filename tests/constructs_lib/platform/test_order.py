"""Layers in order, and graphs that have none."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import Layer, LayerId
from constructs_lib.platform import in_order

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

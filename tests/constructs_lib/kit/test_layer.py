"""Layers: their order, and how long they may take."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.quantities import Minutes
from constructs_lib.kit import Chart, Layer, LayerId, Release, in_order, manifest

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


def test_a_layer_may_take_ten_minutes_and_its_releases_one_less() -> None:
    assert (Layer(A).timeout, Layer(A).release_timeout) == ("10m", "9m")
    assert Layer(A, timeout=Minutes("15m")).release_timeout == "14m"


def test_applications_wait_for_a_layer_that_is_not_sealed_unless_it_says_otherwise() -> None:
    assert (Layer(A).blocks_apps, Layer(A).sealed, Layer(A).ready, Layer(A).after) == (True, False, (), ())


def test_a_layer_knows_its_releases_from_its_objects() -> None:
    release, item = Release("x", "a", Chart("oci://x", "x", "1.0.0")), manifest("v1", "ConfigMap", "x", "a")
    mixed = Layer(A, (item, release))
    assert (mixed.releases, mixed.manifests) == ((release,), (item,))
    assert str(LayerId("area", "part")) == "area-part"

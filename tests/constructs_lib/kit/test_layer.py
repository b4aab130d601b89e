"""Layers: what is in one, and how long it may take."""

from __future__ import annotations

from constructs_lib.base.quantities import Minutes
from constructs_lib.kit import Chart, Layer, LayerId, Release, manifest

A = LayerId("a", "x")


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

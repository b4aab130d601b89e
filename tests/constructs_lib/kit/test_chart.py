"""Charts, releases and values."""

from __future__ import annotations

from constructs_lib.kit import HISTORY, Chart, Release, merged


def test_merging_goes_into_maps_and_replaces_the_rest() -> None:
    base = {"service": {"type": "LoadBalancer", "ports": [1, 2]}, "replicas": 1}
    over = {"service": {"ports": [3]}, "replicas": {"min": 2}}
    assert merged(base, over) == {"service": {"type": "LoadBalancer", "ports": [3]}, "replicas": {"min": 2}}
    assert base["service"] == {"type": "LoadBalancer", "ports": [1, 2]}


def test_merging_replaces_a_map_by_what_is_none_and_back() -> None:
    assert merged({"a": {"b": 1}}, {"a": 2}) == {"a": 2}
    assert merged({"a": 2}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_what_holds_data_is_never_rolled_back() -> None:
    chart = Chart("https://charts.example.org", "x", "1.0.0")
    assert Release("x", "a", chart).is_undone
    assert not Release("x", "a", chart, stateful=True).is_undone


def test_an_oci_registry_is_known_by_its_address() -> None:
    assert Chart("oci://ghcr.io/x", "x", "1.0.0").is_oci
    assert not Chart("https://oci.example.org", "x", "1.0.0").is_oci
    assert not Chart("oci.example.org", "x", "1.0.0").is_oci


def test_helm_keeps_five_revisions() -> None:
    assert HISTORY == 5

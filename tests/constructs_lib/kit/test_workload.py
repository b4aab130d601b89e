"""What pods ask for, from what is written of them."""

from __future__ import annotations

import pytest

from constructs_lib.base.errors import ConfigError
from constructs_lib.kit import ON_SYSTEM_POOL, Room, at, resources, workload


def test_what_is_limited_and_not_asked_for_is_asked_for() -> None:
    assert workload("a", "b", {}, {"limits": {"cpu": "1", "memory": "1Gi"}}).each == Room(1000, 1024)
    assert workload(
        "a", "b", {}, {"limits": {"cpu": None, "memory": "1Gi"}, "requests": {"memory": "1Mi"}}
    ).each == Room(0, 1)


def test_containers_and_volumes_of_a_pod_are_added() -> None:
    used = resources("10m", "1Mi")
    assert workload("a", "b", {}, used, used, volumes=2).each == Room(20, 2, 2)


def test_the_sum_of_no_room_is_empty() -> None:
    assert Room.of(()) == Room(0, 0, 0)


def test_where_nothing_is_said_there_is_one_pod_that_asks_for_nothing() -> None:
    for placed in ({}, None):
        made = workload("a", "Deployment/b", placed, pods=None)
        assert (made.each, made.pods, made.selector, str(made)) == (Room(), 1, {}, "a/Deployment/b")


def test_none_is_none() -> None:
    assert workload("a", "b", {}, pods=0).pods == 0


def test_placement_is_read_from_selector_and_tolerations() -> None:
    placed = workload("a", "b", ON_SYSTEM_POOL)
    assert placed.selector == {"pool-role": "system"}
    assert placed.tolerates(["CriticalAddonsOnly"])
    assert not placed.tolerates(["CriticalAddonsOnly", "other"])
    assert workload("a", "b", {"tolerations": [{"operator": "Exists"}]}).tolerates(["any"])


def test_an_amount_that_is_none_is_told_with_who_asks_for_it() -> None:
    told = "resources of a/b must be an amount as Kubernetes writes it, such as '500m' or '2Gi', found 'much'"
    with pytest.raises(ConfigError, match=told):
        workload("a", "b", {}, {"requests": {"cpu": "much"}})


def test_a_path_ends_where_there_is_nothing() -> None:
    assert at({"a": {"b": 1}}, "a.b") == 1
    assert at({"a": None}, "a.b.c") is None
    assert at(None, "a") is None

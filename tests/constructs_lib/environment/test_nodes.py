"""What is known of Droplet sizes."""

from __future__ import annotations

import pytest

from constructs_lib.base.digitalocean import CORES_AND_GIB
from constructs_lib.environment import load_all
from constructs_lib.environment.nodes import ALLOCATABLE_MEMORY, allocatable
from constructs_lib.environment.pools import DEFAULT_POOL
from constructs_lib.kit import Room
from tests.support import ROOT


@pytest.mark.parametrize(
    ("size", "room"),
    [
        ("s-2vcpu-4gb", Room(1900, 3110, 7)),
        ("s-4vcpu-8gb", Room(3900, 6694, 7)),
        ("s-8vcpu-16gb", Room(7880, 13639, 7)),
        ("s-4vcpu-8gb-amd", Room(3900, 6694, 7)),
        ("s-4vcpu-8gb-240gb-intel", Room(3900, 6694, 7)),
        ("c-4", Room(3900, 6694, 7)),
        ("g-32vcpu-128gb", Room(31800, 122368, 7)),
    ],
)
def test_a_node_has_for_pods_what_nodes_of_its_size_show(size: str, room: Room) -> None:
    assert allocatable(size) == room


@pytest.mark.parametrize("size", ["s-3vcpu-8gb", "gpu-h100x1-80gb", "s-4vcpu-8gb-arm", "c-5", "m-32vcpu-256gb"])
def test_of_other_sizes_nothing_is_known(size: str) -> None:
    assert allocatable(size) is None


def test_no_size_has_more_for_pods_than_it_has() -> None:
    assert len(CORES_AND_GIB) > 40
    for size, (cores, gib) in CORES_AND_GIB.items():
        room = allocatable(size)
        if room is None:
            assert gib not in ALLOCATABLE_MEMORY
            continue
        assert 0 < room.cpu < 1000 * cores
        assert 0.5 * 1024 * gib < room.memory < 1024 * gib, size


def test_more_memory_is_more_for_pods() -> None:
    by_size = [ALLOCATABLE_MEMORY[gib] for gib in sorted(ALLOCATABLE_MEMORY)]
    assert by_size == sorted(by_size)


def test_every_size_of_the_own_environments_is_known() -> None:
    sizes = {pool.size for env in load_all(ROOT / "environments") for pool in env.doks.pools.values()}
    assert None not in {allocatable(size) for size in sizes | {DEFAULT_POOL.size}}

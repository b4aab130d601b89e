"""Whether pods fit on nodes: the largest first, each on the first node with room, as good as a scheduler may hope."""

from __future__ import annotations

from collections.abc import Sequence

from constructs_lib.kit import Room, Workload


def fit(pods: Sequence[Workload], nodes: Sequence[Room]) -> bool:
    """Return whether every pod finds a node; those that are apart each another."""
    left = list(nodes)
    taken: set[tuple[str, int]] = set()
    largest = Room(*map(max, zip(*nodes, strict=True))) if nodes else Room()
    for pod in sorted(pods, key=lambda pod: _share(pod.each, largest), reverse=True):
        free = (at for at, room in enumerate(left) if room.holds(pod.each) and (str(pod), at) not in taken)
        found = next(free, None)
        if found is None:
            return False
        left[found] = left[found].less(pod.each)
        if pod.apart:
            taken.add((str(pod), found))
    return True


def _share(asked: Room, node: Room) -> float:
    """Return the largest part of a node that a pod asks for, of CPU, memory or volumes."""
    return max(amount / max(there, 1) for amount, there in zip(asked, node, strict=True))

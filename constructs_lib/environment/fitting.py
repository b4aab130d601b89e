"""What does not fit, in sentences: what can never run, and what is only just so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import ceil, floor

from constructs_lib.environment.capacity import Place
from constructs_lib.environment.nodes import room_of
from constructs_lib.kit import Room, Workload

UNITS = {"cpu": ("cores", 1000), "memory": ("GiB of memory", 1024), "volumes": ("volumes", 1)}
"""How people count what a room has, and how much of it that is."""
Rounding = Callable[[float], int]
ADVICE = "raise max_nodes, take a larger size or ask for less"
NAMED = 3
"""How many of those that ask for the most a sentence names."""


def too_much(places: Iterable[Place]) -> Iterator[str]:
    """Yield a sentence for each reason for which pods can never run, even where every pool has all its nodes."""
    for place in places:
        if place.rooms:
            yield from _sums(place)
            yield from (sentence for item in place.workloads for sentence in _alone(place, item))


def doubts(places: Iterable[Place], *, production: bool) -> Iterator[str]:
    """Yield a sentence for what cannot be checked, waits for the autoscaler, or in production for a lost node."""
    for place in places:
        yield from (f"{_key(place)}: {doubt}" for doubt in _doubts(place, production=production))


def _sums(place: Place) -> Iterator[str]:
    asked, there = place.asked._asdict(), place.room(place.most)._asdict()
    for unit in UNITS:
        if asked[unit] > there[unit]:
            yield (
                f"{_key(place)}: pods ask for {shown(unit, asked[unit], ceil)}, {_greatest(place, unit)}, and "
                f"{_nodes(place, place.most)} have {shown(unit, there[unit])} for them; {ADVICE}"
            )


def _greatest(place: Place, unit: str) -> str:
    """Return who asks for the most."""
    sums = {str(item): item.each.times(item.pods)._asdict()[unit] for item in place.workloads}
    most = sorted(sums.items(), key=lambda item: item[1], reverse=True)[:NAMED]
    return "most of it " + ", ".join(f"{name} ({shown(unit, found, ceil)})" for name, found in most)


def _alone(place: Place, item: Workload) -> Iterator[str]:
    largest = max(place.rooms, key=lambda room: room.memory)
    if not any(room.holds(item.each) for room in place.rooms):
        yield (
            f"{_key(place)}: a pod of {item} asks for {_all(item.each, ceil)}, and the largest node has "
            f"{_all(largest)} for pods; take a larger size or ask for less"
        )
    if item.apart and item.pods > sum(place.most):
        yield (
            f"{_key(place)}: the {item.pods} pods of {item} may not share a node, and there are at most "
            f"{_nodes(place, place.most)}; raise max_nodes"
        )


def _doubts(place: Place, *, production: bool) -> Iterator[str]:
    if not place.rooms:
        unknown = ", ".join(sorted({pool.size for pool in place.pools if room_of(pool) is None}))
        yield f"what a node of {unknown} has is not known here, so nothing checks whether pods fit; see to it"
    elif place.needed is None:
        yield f"pods are too large to share {_nodes(place, place.most)}, though they ask for less in sum; {ADVICE}"
    elif place.needed > sum(place.least):
        always = _nodes(place, place.least)
        yield f"pods need {place.needed} nodes, and {always} always run: they wait for the autoscaler; raise min_nodes"
    if production and place.needed is not None and not place.loses_one():
        yield f"when one of {_nodes(place, place.most)} is lost, its pods do not fit on the others; raise max_nodes"


def crowded(place: Place, quotas: Room) -> Iterator[str]:
    """Yield a sentence for what applications may ask for together and would not get, even from all nodes."""
    if not place.rooms:
        return
    asked, left = quotas._asdict(), place.room(place.most).less(place.asked)._asdict()
    for unit in ("cpu", "memory"):
        if asked[unit] > left[unit]:
            there = f"{_nodes(place, place.most)} have {shown(unit, left[unit])} beside the platform"
            yield (
                f"applications: their quotas are {shown(unit, asked[unit], ceil)} together, and {there}: pods within a "
                f"quota may find no node; {ADVICE}"
            )


def _key(place: Place) -> str:
    return f"cluster.pools.{place.pools[0].name}" if len(place.pools) == 1 else f"cluster.pools ({place.name})"


def _nodes(place: Place, numbers: Iterable[int]) -> str:
    counted = zip(numbers, place.pools, strict=True)
    return " and ".join(f"{number} node{'' if number == 1 else 's'} of {pool.size}" for number, pool in counted)


def _all(room: Room, rounded: Rounding = floor) -> str:
    return " and ".join(shown(unit, found, rounded) for unit, found in room._asdict().items() if unit != "volumes")


def shown(unit: str, found: int, rounded: Rounding = floor) -> str:
    """Return an amount with its unit, as people read it."""
    return f"{amount(unit, found, rounded)} {UNITS[unit][0]}"


def amount(unit: str, found: int, rounded: Rounding) -> str:
    """Return an amount as people read it; rounded so that what is asked for and what is less never look alike."""
    each = UNITS[unit][1]
    return f"{found if each == 1 else rounded(10 * found / each) / 10:g}"

"""Whether what an environment asks for fits where it goes: each pod on its pools, with what runs on every node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.quantities import in_mebibytes, thousandths
from constructs_lib.environment.nodes import room_of
from constructs_lib.environment.packing import fit
from constructs_lib.environment.pools import Pool
from constructs_lib.kit import Room, Workload, workload

if TYPE_CHECKING:
    from constructs_lib.environment.model import Environment

ANYBODY = workload("", "anybody", None)
"""Pods that select and tolerate no nodes."""


@dataclass(frozen=True)
class Place:
    """Pools, the workloads that can only run there, and what a node of each pool has for them.

    What runs on every node is no workload here: it is taken off what a node has. `rooms` is empty where the size of a
    pool is not known. Pods that select no node, as those of applications, run where it is `anybodys`.
    """

    pools: tuple[Pool, ...]
    workloads: tuple[Workload, ...]
    rooms: tuple[Room, ...]
    anybodys: bool = False

    @property
    def name(self) -> str:
        """The names of the pools."""
        return " and ".join(pool.name for pool in self.pools)

    @cached_property
    def pods(self) -> tuple[Workload, ...]:
        """Every pod that has to be there at once: those that run on, and the largest of those that pass."""
        lasting = (item for item in self.workloads if not item.passing for _ in range(item.pods))
        passing = (item for item in self.workloads if item.passing)
        return (*lasting, *sorted(passing, key=lambda item: (item.each.memory, item.each))[-1:])

    @property
    def asked(self) -> Room:
        """What the pods ask for together."""
        return Room.of(pod.each for pod in self.pods)

    @property
    def least(self) -> tuple[int, ...]:
        """How many nodes of each pool always run."""
        return tuple(pool.least for pool in self.pools)

    @property
    def most(self) -> tuple[int, ...]:
        """How many nodes each pool may have."""
        return tuple(pool.most for pool in self.pools)

    def room(self, nodes: Sequence[int]) -> Room:
        """Return what so many nodes of each pool have together."""
        return Room.of(room.times(number) for room, number in zip(self.rooms, nodes, strict=True))

    def takes(self, nodes: Sequence[int]) -> bool:
        """Return whether so many nodes of each pool take every pod."""
        there = chain.from_iterable([room] * number for room, number in zip(self.rooms, nodes, strict=True))
        return fit(self.pods, list(there))

    def loses_one(self) -> bool:
        """Return whether every pod still runs when any pool with all its nodes has lost one."""
        return all(
            self.takes([number - (lost == position) for position, number in enumerate(self.most)])
            for lost in range(len(self.pools))
        )

    @cached_property
    def needed(self) -> int | None:
        """How many nodes take every pod, beginning with those that always run; nothing where the most do not."""
        return next((sum(nodes) for nodes in self._growing() if self.takes(nodes)), None)

    def _growing(self) -> Iterator[list[int]]:
        nodes = list(self.least)
        yield nodes
        for position, most in enumerate(self.most):
            while nodes[position] < most:
                nodes[position] += 1
                yield nodes


def places(env: Environment) -> list[Place]:
    """Return the places of an environment.

    Raises `ConfigError` for each workload that no pool takes, and as `Environment.layers` does.
    """
    pools = env.cluster.seen
    workloads = (*env.cluster.own_workloads, *env.platform.workloads(env))
    everywhere = [item for item in workloads if item.every_node]
    somewhere = [(item, _candidates(item, pools)) for item in workloads if not item.every_node]
    if lost := [_lost(item) for item, where in somewhere if not where]:
        raise ConfigError(*lost)
    anybodys = _candidates(ANYBODY, pools)
    found = {anybodys, *(where for _, where in somewhere)} - {frozenset()}
    made = [(where, _place(pools, where, somewhere, everywhere)) for where in sorted(found, key=_order(pools))]
    return [replace(place, anybodys=where == anybodys) for where, place in made]


def for_applications(found: Iterable[Place]) -> Place | None:
    """Return which of an environment's places takes pods of applications that select no nodes, if one does."""
    return next((place for place in found if place.anybodys), None)


def quotas(env: Environment) -> Room:
    """Return what the applications of an environment may ask for together."""
    open_ = (app.quota for app in env.applications.values() if not app.retired)
    return Room.of(Room(thousandths(quota.cpu), in_mebibytes(quota.memory)) for quota in open_)


def _lost(item: Workload) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in item.selector.items())
    return f"cluster.pools: none takes {item}, which needs nodes with {labels}; add one or correct its node selector"


def _candidates(item: Workload, pools: Iterable[Pool]) -> frozenset[str]:
    """Return the names of the pools that take a workload; those that only repel it if there is no other."""
    selected = [pool for pool in pools if item.selector.items() <= pool.labels.items()]
    welcome, allowed = (
        frozenset(pool.name for pool in selected if item.tolerates(pool.repels(softly=softly)))
        for softly in (True, False)
    )
    return welcome or allowed


def _place(
    pools: Iterable[Pool],
    where: frozenset[str],
    somewhere: Iterable[tuple[Workload, frozenset[str]]],
    everywhere: Iterable[Workload],
) -> Place:
    own = tuple(pool for pool in pools if pool.name in where)
    sizes = [(pool, room_of(pool)) for pool in own]
    rooms = tuple(_left(pool, room, everywhere) for pool, room in sizes if room is not None)
    workloads = tuple(item for item, wanted in somewhere if wanted <= where)
    return Place(own, workloads, rooms if len(rooms) == len(own) else ())


def _left(pool: Pool, room: Room, everywhere: Iterable[Workload]) -> Room:
    """Return what a node has left beside what runs on every node that takes it."""
    return room.less(Room.of(item.each for item in everywhere if _candidates(item, [pool])))


def _order(pools: Sequence[Pool]) -> Callable[[frozenset[str]], list[int]]:
    names = [pool.name for pool in pools]
    return lambda where: sorted(map(names.index, where))

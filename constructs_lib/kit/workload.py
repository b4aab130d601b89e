"""What pods ask of nodes: CPU, memory, volumes, and where they may run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, NamedTuple, Self

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.quantities import in_mebibytes, thousandths
from constructs_lib.kit.chart import Values
from constructs_lib.kit.layer import Layer
from constructs_lib.kit.objects import Manifest, group


class Room(NamedTuple):
    """CPU in thousandths of a core, memory in MiB, and volumes."""

    cpu: int = 0
    memory: int = 0
    volumes: int = 0

    def times(self, number: int) -> Room:
        """Return as much as `number` of these."""
        return Room(*(number * amount for amount in self))

    def less(self, other: Room) -> Room:
        """Return what is left without `other`; below zero where that is more."""
        return Room(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))

    def holds(self, other: Room) -> bool:
        """Return whether `other` fits in here."""
        return min(self.less(other)) >= 0

    @classmethod
    def of(cls, rooms: Iterable[Room]) -> Self:
        """Return the sum; none make an empty one."""
        return cls(*map(sum, zip(*rooms, strict=True)))


@dataclass(frozen=True)
class Workload:
    """Pods that are alike, each of which asks for `each`.

    Those that are `apart` never share a node, of those on `every_node` there is one on each that takes it, and those
    that are `passing` run once and end.
    """

    namespace: str
    name: str
    each: Room
    pods: int
    selector: dict[str, str]
    tolerated: tuple[str | None, ...]
    apart: bool = False
    every_node: bool = False
    passing: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def tolerates(self, taints: Iterable[str]) -> bool:
        """Return whether it may run on nodes with these keys of taints."""
        return None in self.tolerated or set(taints) <= set(self.tolerated)


def workload(
    namespace: str,
    name: str,
    placed: Values | None,
    *containers: Values | None,
    pods: int | None = 1,
    volumes: int = 0,
    **how: bool,
) -> Workload:
    """Return the pods of `name` (such as `Deployment/traefik`), where `placed` selects and tolerates nodes.

    Each of `containers` is what a container of a pod may use, as Kubernetes' `resources`; without any it is that of
    `placed`. `pods` is how many there are, one where nothing says it, and `how` is what else `Workload` knows of them.
    Raises `ConfigError` for an amount that is none, `TypeError` or `AttributeError` for what has another type.
    """
    found = placed or {}
    try:
        asked = Room.of((Room(volumes=volumes), *map(_requested, containers or (found.get("resources"),))))
    except ValueError as error:
        raise ConfigError(f"platform: resources of {namespace}/{name} {error}; correct them in extra_values") from None
    tolerated = tuple(item.get("key") for item in found.get("tolerations") or ())
    selector = {**(found.get("nodeSelector") or {})}
    return Workload(namespace, name, asked, 1 if pods is None else index(pods), selector, tolerated, **how)


def _requested(used: Values | None) -> Room:
    """Return what a container asks for; what is limited and not asked for is asked for (Kubernetes' own default)."""
    asked = {**((used or {}).get("limits") or {}), **((used or {}).get("requests") or {})}
    return Room(thousandths(asked.get("cpu") or 0), in_mebibytes(asked.get("memory") or 0))


def at(values: Any, path: str) -> Any:
    """Return what is at a path with dots in values; nothing where there is none on the way."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


class Rendered:
    """What layers hold, by which components say what their pods ask for: settings and `extra_values` are in it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._releases = {item.name: item.values for layer in layers for item in layer.releases}
        self._manifests: dict[tuple[str, str], list[Manifest]] = {}
        for layer in layers:
            for item in layer.manifests:
                self._manifests.setdefault((group(item["apiVersion"]), item["kind"]), []).append(item)

    def values(self, release: str) -> Iterable[Values]:
        """Return the values of a release; nothing where it is not there."""
        found = self._releases.get(release)
        return () if found is None else (found,)

    def specs(self, api_version: str, kind: str, namespace: str | None = None) -> Iterable[tuple[str, Values]]:
        """Return name and spec of each object of a kind, of one namespace where it is given."""
        for item in self._manifests.get((group(api_version), kind), ()):
            if namespace is None or item["metadata"]["namespace"] == namespace:
                yield item["metadata"]["name"], item["spec"]

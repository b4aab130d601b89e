"""How the layers of a tree end, as their status says it, look for look: done, refused, or waiting for one that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from constructs_lib.kit import FLUX_ROOT, Manifest
from gitops_render.paths import PLATFORM_SOURCE
from operations.rehearsal.trees import Tree

OURS = frozenset({FLUX_ROOT, PLATFORM_SOURCE})
"""The sources that read the tree; all others are releases of operators."""
FAILED_LOOKS = 8
"""How often a layer has to be seen failing, half a second apart, before that counts: Flux tries again each second."""


class Played(NamedTuple):
    """How the layers of a tree ended."""

    order: tuple[str, ...]
    refused: Mapping[str, str]
    waiting: tuple[str, ...]


class Looks:
    """What was seen of the layers so far."""

    def __init__(self, tree: Tree, revision: str) -> None:
        self._wanted, self._revision = tree.layers | {FLUX_ROOT}, revision
        self._done: set[str] = set()
        self._failing: dict[str, int] = {}
        self._said: dict[str, str] = {}

    def look(self, layers: Mapping[str, Manifest]) -> Played | None:
        """Take in how the layers are, and return how they ended once all have."""
        for name, item in layers.items():
            self._take(name, item)
        refused = {name: self._said[name] for name, times in sorted(self._failing.items()) if times >= FAILED_LOOKS}
        waiting = [name for name in self._wanted - self._done - refused.keys() if name in layers]
        stuck = {name for name in waiting if self._waits(layers[name], {*refused, *waiting})}
        if set(layers) != self._wanted or set(waiting) != stuck or (waiting and not refused):
            return None
        done = sorted((layers.keys() & self._done) - {FLUX_ROOT}, key=lambda name: (_depth(name, layers), name))
        return Played(tuple(done), refused, tuple(sorted(waiting)))

    def _take(self, name: str, item: Manifest) -> None:
        status = item.get("status", {})
        said = next((one for one in status.get("conditions", []) if one["type"] == "Ready"), None)
        if said is None or said.get("observedGeneration") != item["metadata"]["generation"]:
            return
        # What reads the release of an operator stays at that.
        ours = item["spec"].get("sourceRef", {}).get("name") in OURS
        wanted = self._revision if ours else status.get("lastAttemptedRevision")
        if said["status"] == "True" and status.get("lastAppliedRevision") == wanted:
            self._done.add(name)
            self._failing.pop(name, None)
        elif said["status"] == "False" and status.get("lastAttemptedRevision") == wanted:
            self._failing[name] = self._failing.get(name, 0) + 1
            self._said[name] = said["message"]

    def _waits(self, item: Manifest, left: set[str]) -> bool:
        return any(needed["name"] in left for needed in item["spec"].get("dependsOn", ()))

    def left(self) -> str:
        """Return what has not ended."""
        return f"not done are {', '.join(sorted(self._wanted - self._done)) or 'layers that should be gone'}"


def _depth(name: str, layers: Mapping[str, Manifest]) -> int:
    """How many layers come before one, at least: layers of one depth are done in any order, another in each run."""
    before = [item["name"] for item in layers[name]["spec"].get("dependsOn", ()) if item["name"] in layers]
    return max((_depth(other, layers) + 1 for other in before), default=0)

"""What becomes of objects in a rehearsal: each as it was in the cluster before, and as it is afterwards."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Literal, NamedTuple

from constructs_lib.kit import KEEP_IN_FLUX, Manifest
from gitops_render.objects import Identity

Fate = Literal["made", "changed", "restarted", "replaced", "pruned", "orphaned"]
FATES: tuple[Fate, ...] = ("made", "changed", "restarted", "replaced", "pruned", "orphaned")


class Seen(NamedTuple):
    """An object in the cluster: which one, what it says, the pods that it describes, and whether Flux keeps it."""

    uid: str
    content: Manifest
    pods: Manifest | None
    kept: bool


def seen_of(item: Manifest) -> Seen:
    """Return what counts of an object that the API server has."""
    metadata, pods = item["metadata"], (item.get("spec") or {}).get("template")
    marks = {key: metadata.get(key) for key in ("labels", "annotations")}
    content = {key: value for key, value in item.items() if key not in {"metadata", "status"}} | marks
    kept = KEEP_IN_FLUX.items() <= metadata.get("annotations", {}).items()
    return Seen(metadata["uid"], content, pods, kept)


def fates_of(
    left: Mapping[Identity, Seen], right: Mapping[Identity, Seen], described: Container[Identity]
) -> dict[Fate, tuple[str, ...]]:
    """Return what became of objects, by fate; the candidate has those that are `described`."""
    found: dict[Fate, list[str]] = {fate: [] for fate in FATES}
    for identity in sorted({*left, *right}):
        fate = fate_of(left.get(identity), right.get(identity), described=identity in described)
        if fate is not None:
            found[fate].append(str(identity))
    return {fate: tuple(names) for fate, names in found.items() if names}


def fate_of(old: Seen | None, new: Seen | None, *, described: bool) -> Fate | None:
    """Return what became of an object, which the candidate may have `described`; nothing if that is nothing."""
    if old is None:
        return None if new is None else "made"
    if new is None:
        return "pruned"
    if old.uid != new.uid:
        return "replaced"
    if not described:  # what goes with a layer that waits is there still
        return "orphaned" if new.kept else None
    if old.pods != new.pods:
        return "restarted"
    return None if old.content == new.content else "changed"

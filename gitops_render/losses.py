"""What data loses with a change although it stays: its walls, credentials, backups, alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from constructs_lib.base.transition import models_of
from constructs_lib.kit import Retirable
from constructs_lib.platform import OPERATORS, Platform
from gitops_render.check.model import Finding, Tree
from gitops_render.diff import Difference

GUARDS = {
    "NetworkPolicy": "wall",
    "CiliumNetworkPolicy": "wall",
    "ExternalSecret": "credentials",
    "Certificate": "certificate",
    "ScheduledBackup": "backup",
}
"""What guards the data in its namespace, by kind."""
ALERTS = "PrometheusRule"
"""What guards all data of an environment."""

DATA = {(group, kind) for operator in OPERATORS for group in operator.groups for kind in operator.data}
"""The kinds of objects that hold data, with their API groups."""
RETIRABLE = {
    (group, kind)
    for component in Platform().by_name.values()
    if any(issubclass(model, Retirable) for info in type(component).model_fields.values() for model in models_of(info))
    for operator in component.operators
    for group in operator.groups
    for kind in operator.data
}
"""Those that are retired in steps, so that none of them has to stay without its guards."""

FIX = "retire it first, as docs/how-to/retire-data.md says"


def is_data(difference: Difference) -> bool:
    """Say whether an object holds data."""
    return (difference.identity.group, difference.identity.kind) in DATA


def losses(trees: Sequence[Tree], objects: Sequence[Difference]) -> Iterator[Finding]:
    """Yield a finding for each guard that goes while data stays that it guarded, in the `trees` after a change.

    An environment that goes as a whole is told elsewhere.
    """
    after = {tree.environment: tree for tree in trees}
    objects = [item for item in objects if item.environment in after]
    for gone in objects:
        kind = gone.identity.kind
        if gone.change == "removed" and (kind in GUARDS or kind == ALERTS):
            what = f"stays, and {gone.identity}, its {GUARDS.get(kind, 'alerts')}, goes"
            for subject in sorted({*_kept(gone, objects), *_bare(gone, after[gone.environment])}):
                yield Finding("LOSS001", gone.environment, subject, what, FIX)


def _kept(gone: Difference, objects: Sequence[Difference]) -> Iterator[str]:
    """Yield the data that nobody describes any more, and that the guard was there for."""
    for item in objects:
        near = gone.identity.kind == ALERTS or item.identity.namespace == gone.identity.namespace
        kept = item.change == "kept" and (item.identity.group, item.identity.kind) in RETIRABLE
        if kept and near and item.environment == gone.environment:
            yield str(item.identity)


def _bare(gone: Difference, tree: Tree) -> Iterator[str]:
    """Yield the data that is described still, where no guard of the kind is left."""
    kind, namespace = gone.identity.kind, gone.identity.namespace
    if kind == ALERTS or any(item.namespace == namespace for item in tree.of(kind)):
        return
    for item in tree.items:
        if item.namespace == namespace and (item.group, item.kind) in RETIRABLE:
            yield str(item.identity)

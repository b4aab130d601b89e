"""What an operator adds to a cluster, as far as policies and networks have to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from constructs_lib.kit.network import Link


@dataclass(frozen=True)
class Operator:
    """An operator, by the chart or the GitRepository that installs it.

    It brings the kinds of the API `groups`, of which those in `data` hold data; the API server calls its `webhook`;
    and it makes PodDisruptionBudgets of its own that select pods by `budget_label`.
    """

    name: str
    groups: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    webhook: Link | None = None
    budget_label: str | None = None

"""Helm charts, and how they are installed: nothing here is Flux's alone or OpenTofu's alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Values: TypeAlias = dict[str, Any]
"""The values of a Helm release as plain data."""


@dataclass(frozen=True)
class Chart:
    """A Helm chart at an exact version.

    `repository` is an `https://` address with an index, or an `oci://` address without the chart's name. `signed_by` is
    the workflow on GitHub in whose name cosign signs it there: `owner/repository/file@ref`, as its certificate has it.
    """

    repository: str
    name: str
    version: str
    signed_by: str | None = None

    @property
    def is_oci(self) -> bool:
        """Whether the repository is an OCI registry."""
        return self.repository.startswith("oci://")

    @property
    def is_verified(self) -> bool:
        """Whether a signature can be looked for: one is beside a chart in a registry, and nowhere in an index."""
        return self.is_oci and self.signed_by is not None


HISTORY = 5
"""How many revisions of a release Helm keeps."""


@dataclass(frozen=True)
class Release:
    """A chart installed under a name with values. It has no field that only Flux or only OpenTofu understands.

    A `stateful` release holds data, or the kinds of objects that do: it is neither rolled back nor pruned.
    """

    name: str
    namespace: str
    chart: Chart
    values: Values = field(default_factory=dict[str, Any])
    stateful: bool = False

    @property
    def is_undone(self) -> bool:
        """Whether a failed upgrade is rolled back: undoing that of an operator can lose data."""
        return not self.stateful


def merged(base: Values, over: Values) -> Values:
    """Return `base` with `over` on top: maps are merged key by key, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result

"""What a part of observability is: its fields are its settings, and it says what it brings, as a component does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from constructs_lib.base.settings import Settings
from constructs_lib.kit import Link, Manifest, Operator, Ready, Release, StatefulSet, Workload

if TYPE_CHECKING:
    from constructs_lib.environment import Environment


class Part(Settings, ABC):
    """One part of observability; only of those that are on anything else is asked."""

    operators: ClassVar[tuple[Operator, ...]] = ()
    """The operators that it installs, as a component has them."""

    @property
    @abstractmethod
    def is_on(self) -> bool:
        """Whether it runs in the cluster."""

    def links(self, env: Environment) -> Iterable[Link]:
        """Return who talks to whom."""
        return ()

    def controllers(self, env: Environment) -> Iterable[Release | Manifest]:
        """Return its operators."""
        return ()

    @property
    def ready(self) -> tuple[Ready, ...]:
        """When what its operators' charts make counts as ready."""
        return ()

    def credentials(self, env: Environment) -> Iterable[Manifest]:
        """Return what it needs from Vault."""
        return ()

    def backends(self, env: Environment) -> Iterable[Release | Manifest]:
        """Return what needs operators and credentials."""
        return ()

    def workloads(self, env: Environment) -> Iterable[Workload]:
        """Return its pods, as a component does."""
        return ()

    @property
    def watched(self) -> StatefulSet | None:
        """The pods of its backend, which Prometheus watches."""
        return None

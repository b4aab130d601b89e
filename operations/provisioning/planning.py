"""The plan of a stack, whichever it is: its bucket first, then what is there already, then what would change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tenacity import RetryCallState, retry, retry_if_exception_type, stop_after_delay, wait_fixed

from constructs_lib.base.console import say
from operations.clients.spaces import Spaces
from operations.clients.state_lock import BusyError, StateLock
from operations.clients.tofu import Change, Stack
from operations.provisioning.adoption import Lookup, plan_with_adoption

PATIENCE_SECONDS = 900
"""How long who only looks waits for a run that works with the state."""


def _tell(attempt: RetryCallState) -> None:
    """Say for what is waited."""
    if attempt.outcome is not None:
        say(f"{attempt.outcome.exception()} …")


class Reading(NamedTuple):
    """What people read of one plan."""

    stack: str
    changes: list[Change]
    text: str
    notes: tuple[str, ...] = ()
    """What else has to be done, as sentences in Markdown."""

    @property
    def differs(self) -> bool:
        """Whether what runs is not as it should be."""
        return bool(self.changes or self.notes)


class Planner(NamedTuple):
    """Plans any stack; `lookups` find what a plan would create although it is there."""

    spaces: Spaces
    lookups: Mapping[str, Lookup]

    def plan(self, stack: Stack, file: Path, *, prepare: bool, destroy: bool = False, refresh: bool = True) -> Reading:
        """Write the plan of a stack into `file`, and return what people read of it.

        With `prepare`, a missing bucket for the state is made and the state is locked; without it nothing is written
        elsewhere, and a first plan is made as if the bucket existed.
        """
        changes = self._changes(stack, file, prepare=prepare, destroy=destroy, refresh=refresh)
        return Reading(stack.name, changes, stack.describe(file))

    def _changes(self, stack: Stack, file: Path, *, prepare: bool, destroy: bool, refresh: bool) -> list[Change]:
        if stack.state is not None and not self.spaces.exists(stack.state):
            if not prepare:
                return stack.plan_without_state(file)
            self.spaces.create(stack.state)
            say(f"bucket {stack.state.bucket}: made, to keep the state in")
        stack.init()
        if destroy:
            return stack.plan(file, destroy=True, refresh=refresh)
        if prepare or stack.state is None:
            return plan_with_adoption(stack, file, self.lookups)
        return self._undisturbed(stack, file, StateLock(self.spaces, stack.state, stack.name))

    @retry(
        retry=retry_if_exception_type(BusyError),
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_fixed(15),
        before_sleep=_tell,
        reraise=True,
    )
    def _undisturbed(self, stack: Stack, file: Path, lock: StateLock) -> list[Change]:
        """Plan without a lock while nobody else works with the state: in the middle of an apply, much seems to differ.

        Raises `BusyError` if somebody goes on doing so.
        """
        before = lock.version()
        changes = plan_with_adoption(stack, file, self.lookups, lock=False)
        if lock.version() != before:
            raise BusyError(f"{stack.name}: its state changed while it was planned; plan again")
        return changes

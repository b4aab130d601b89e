"""The lock of a state, as OpenTofu keeps it: an object beside the state. Who holds it is alone with what the state has.

Format: OpenTofu 1.12, `internal/states/statemgr/locker.go` (`LockInfo`), and its backend `s3` with `use_lockfile`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.stacks import OUTPUT, stack_folder, state_key
from constructs_lib.environment.repository import StateBucket
from operations.clients.spaces import Spaces
from operations.clients.tofu_errors import locked

SUFFIX = ".tflock"


class BusyError(ConfigError):
    """Somebody else works with a state."""


class StateLock:
    """The lock of a stack's state. Where the bucket knows no conditional writes, there is none to hold or to see."""

    def __init__(self, spaces: Spaces, state: StateBucket, stack: str) -> None:
        self._spaces, self._state, self._stack = spaces, state, stack
        self._key = f"{state_key(stack)}{SUFFIX}"

    @contextmanager
    def held(self, doing: str) -> Generator[None]:
        """Hold the lock, which says what is being done. Raises `BusyError` if somebody else holds it."""
        if not self._state.use_lockfile:
            yield
            return
        own = str(uuid4())
        written = self._spaces.write_new(self._state, self._key, self._info(own, doing))
        if not written and self._holder() != own:  # a first try may have written it, and lost its answer
            self._refuse_held()
        try:
            yield
        finally:
            if self._holder() == own:
                self._spaces.remove(self._state, self._key)

    def version(self) -> str | None:
        """Return what changes whenever the state does. Raises `BusyError` if somebody holds the lock."""
        self._refuse_held()
        return self._spaces.version(self._state, state_key(self._stack))

    def _refuse_held(self) -> None:
        info = self._read()
        if info:
            raise BusyError(locked(self._stack, str(stack_folder(OUTPUT, self._stack)), info))

    def _holder(self) -> str | None:
        return self._read().get("ID")

    def _read(self) -> dict[str, Any]:
        text = self._spaces.read(self._state, self._key) if self._state.use_lockfile else None
        return json.loads(text) if text else {}

    def _info(self, own: str, doing: str) -> bytes:
        who, now = f"operations@{platform.node()}", datetime.now(UTC)
        info = {"ID": own, "Operation": doing, "Info": "", "Who": who, "Version": "", "Created": now.isoformat()}
        return json.dumps({**info, "Path": f"{self._state.bucket}/{state_key(self._stack)}"}).encode()

"""Lists whose entries are told apart by a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import AfterValidator


def unique(key: str) -> AfterValidator:
    """Return the check that no two entries of a list have the same `key`."""

    def check(entries: Sequence[Any]) -> Sequence[Any]:
        seen: set[Any] = set()
        for entry in entries:
            value = getattr(entry, key)
            if value in seen:
                raise ValueError(f"two entries have the {key} '{value}'; rename one of them")
            seen.add(value)
        return entries

    return AfterValidator(check)

"""What expires: dates that stand beside entries of Vault, as metadata, which may be read without what they are of.

A token's date is put there by who brings it (`vault kv metadata patch -custom-metadata=digitalocean_token_expires=…`):
neither DigitalOcean nor GitHub tells the date of one token to another.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from operations.clients.vault import Secrets, open_vault
from operations.secrets.credentials import secrets_of
from operations.secrets.policies import WATCHED, watched

SUFFIX = "_expires"
"""How the name of a date ends; before it is the property that expires."""

EARLY = timedelta(days=30)
"""How long before that it is told."""


def expiring(env: Environment) -> list[str]:
    """Return a sentence for each secret that expires soon, or whose date is none."""
    vault = env.gitops.vault
    own, shared = secrets_of(env, Purpose.DRIFT), open_vault(vault, vault.mount, Purpose.DRIFT)
    places = [*((own, path) for path in watched(env)), *((shared, vault.github(purpose)) for purpose in WATCHED)]
    return [sentence for secrets, path in places for sentence in _soon(secrets, path)]


def _soon(secrets: Secrets, path: str) -> Iterator[str]:
    today = datetime.now(UTC).date()
    for name, text in secrets.notes(path).items():
        if not name.endswith(SUFFIX):
            continue
        what = f"Vault {secrets.mount}/{path}: {name.removesuffix(SUFFIX)}"
        try:
            left = date.fromisoformat(text) - today
        except ValueError:
            yield f"{what}: expires on '{text}', which is no date such as 2027-01-31; correct the metadata"
            continue
        if left < EARLY:
            when = f"expired on {text}" if left < timedelta() else f"expires on {text}, in {left.days} days"
            yield f"{what}: {when}; rotate it (docs/how-to/rotate-secrets.md)"

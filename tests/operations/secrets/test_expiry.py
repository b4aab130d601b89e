"""What expires is told before it does, without what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from operations.review.drift import to_markdown
from operations.secrets.expiry import expiring
from tests.operations.conftest import Outside

PATH = "episodic/sandbox/provisioning"


def day(days: int) -> str:
    return f"{datetime.now(UTC).date() + timedelta(days=days)}"


@pytest.mark.parametrize(("days", "told"), [(30, None), (29, "in 29 days"), (0, "in 0 days"), (-1, "expired on")])
def test_a_date_is_told_a_month_before(outside: Outside, days: int, told: str | None) -> None:
    outside.vault.notes[PATH] = {"digitalocean_token_expires": day(days), "owner": "somebody"}
    found = expiring(outside.environment())
    if told is None:
        assert found == []
        return
    (sentence,) = found
    assert sentence.startswith(f"Vault {PATH}: digitalocean_token: expire")
    assert told in sentence
    assert sentence.endswith("; rotate it (docs/how-to/rotate-secrets.md)")
    assert outside.digitalocean.token not in sentence


def test_the_dates_of_all_entries_that_have_one_are_looked_at(outside: Outside) -> None:
    places = [PATH, f"{PATH}/plan", f"{PATH}/state", "episodic/gitops/provisioning"]
    places += ["episodic/gitops/provisioning/promote", "episodic/gitops/provisioning/drift"]
    outside.vault.notes = {path: {"x_expires": day(1)} for path in (*places, "episodic/staging/provisioning")}
    assert [sentence.split(": ")[0] for sentence in expiring(outside.environment())] == [
        f"Vault {path}" for path in places
    ]
    asked = [request.path for request in outside.vault.requests]
    assert not [path for path in asked if "/data/" in path], "no value is read for it"


def test_a_date_that_is_none_is_told(outside: Outside) -> None:
    outside.vault.notes[PATH] = {"github_token_expires": "next year"}
    (sentence,) = expiring(outside.environment())
    assert "github_token: expires on 'next year', which is no date such as 2027-01-31" in sentence


def test_it_stands_in_the_issue_about_drift(outside: Outside) -> None:
    text = to_markdown(outside.environment(), [], [], soon=["Vault x: y: expires on 2027-01-31"])
    assert "## What expires\n\n- Vault x: y: expires on 2027-01-31\n" in text

"""What expires is told before it does, without what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from constructs_lib.base.bucket import TrustedBucket
from operations.clients.github import GitHub
from operations.review.drift import to_markdown
from operations.secrets.expiry import ROTATE, ending_certificates, expiring
from tests.operations.conftest import Outside

PATH, NAME = "episodic/sandbox/provisioning", "episodic-gitops"
APPROLE = {"method": "approle", "mount": "approle", "role_id": "role"}


def told(outside: Outside, **changes: Any) -> list[str]:
    if NAME not in outside.github.repositories:
        outside.github.add_repository(NAME)
    return expiring(outside.environment(**changes), GitHub(outside.github.token))


def day(days: int) -> str:
    return f"{datetime.now(UTC).date() + timedelta(days=days)}"


@pytest.mark.parametrize(("days", "words"), [(30, None), (29, "in 29 days"), (0, "in 0 days"), (-1, "expired on")])
def test_a_date_is_told_a_month_before(outside: Outside, days: int, words: str | None) -> None:
    outside.vault.notes[PATH] |= {"digitalocean_token_expires": day(days), "owner": "somebody"}
    found = told(outside)
    if words is None:
        assert found == []
        return
    (sentence,) = found
    assert sentence.startswith(f"Vault {PATH}: digitalocean_token: expire")
    assert words in sentence
    assert sentence.endswith("; rotate it (docs/how-to/rotate-secrets.md)")
    assert outside.digitalocean.token not in sentence


def test_the_dates_of_all_entries_that_have_one_are_looked_at(outside: Outside) -> None:
    places = [PATH, f"{PATH}/plan", f"{PATH}/state", "episodic/gitops/provisioning"]
    places += [f"episodic/gitops/provisioning/{purpose}" for purpose in ("promote", "drift", "integration")]
    places.insert(3, "episodic/sandbox/platform/digitalocean-dns")
    for path in (*places, "episodic/staging/provisioning"):
        outside.vault.notes[path] |= {"x_expires": day(1)}
    assert [sentence.split(": ")[0] for sentence in told(outside)] == [f"Vault {path}" for path in places]
    asked = [request.path for request in outside.vault.requests]
    assert not [path for path in asked if "/data/" in path], "no value is read for it"


def test_a_date_that_is_none_is_told(outside: Outside) -> None:
    outside.vault.notes[PATH] |= {"github_token_expires": "next year"}
    (sentence,) = told(outside)
    assert "github_token: expires on 'next year', which is no date such as 2027-01-31 nor never" in sentence


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (PATH, "digitalocean_token"),
        (f"{PATH}/plan", "digitalocean_token"),
        ("episodic/sandbox/platform/digitalocean-dns", "token"),
        ("episodic/gitops/provisioning", "github_token"),
        ("episodic/gitops/provisioning/promote", "github_token"),
        ("episodic/gitops/provisioning/drift", "github_token"),
        ("episodic/gitops/provisioning/integration", "github_token"),
    ],
)
def test_a_token_of_which_nobody_noted_when_it_expires_is_told(outside: Outside, path: str, name: str) -> None:
    del outside.vault.notes[path][f"{name}_expires"]
    advice = f"add the metadata {name}_expires, a date or never (docs/how-to/rotate-secrets.md)"
    assert told(outside) == [f"Vault {path}: {name}: nobody noted when it expires; {advice}"]


def test_what_is_no_token_needs_no_date(outside: Outside) -> None:
    outside.vault.put("episodic/gitops/provisioning/promote", github_app_id="7", github_app_key="a key")
    outside.vault.notes["episodic/gitops/provisioning/promote"] = {}
    del outside.vault.entries["episodic/gitops/provisioning/drift"]
    assert told(outside) == []


def test_it_stands_in_the_issue_about_drift(outside: Outside) -> None:
    text = to_markdown(outside.environment(), [], [], soon=["Vault x: y: expires on 2027-01-31"])
    assert "## What expires\n\n- Vault x: y: expires on 2027-01-31\n" in text


def certificate(days: int) -> str:
    """Return a certificate that ends in so many days, in PEM."""
    key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"CA of {days}")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(400), now + timedelta(days))
    return builder.sign(key, None).public_bytes(Encoding.PEM).decode()


def test_each_certificate_by_which_a_vault_is_trusted_is_told(outside: Outside) -> None:
    env = outside.environment()
    own = env.vault.model_copy(update={"ca_bundle": certificate(29) + certificate(300)})
    shared = env.gitops.vault.model_copy(update={"ca_bundle": certificate(-1)})
    assert list(ending_certificates("here", own)) == [f"here: CN=CA of 29: expires on {day(29)}, in 29 days; {ROTATE}"]
    assert list(ending_certificates("here", shared)) == [f"here: CN=CA of -1: expired on {day(-1)}; {ROTATE}"]
    assert list(ending_certificates("here", env.vault)) == []


def test_so_is_each_by_which_a_bucket_is_trusted(outside: Outside) -> None:
    outside.github.add_repository(NAME)
    env, ends = outside.environment(), certificate(3)
    trusted = env.backups.model_copy(update={"ca_bundle": ends})
    source = TrustedBucket(bucket="a-tree", region="lab", address="https://s3.example.org", ca_bundle=ends)
    for update, key in (({"backups": trusted}, "backups"), ({"source": source}, "source")):
        found = expiring(env.model_copy(update=update), GitHub(outside.github.token))
        assert [text.partition(": CN=")[0] for text in found] == [f"environments/sandbox.yaml: {key}.ca_bundle"]


def test_the_last_secret_id_is_told_before_it_ends(outside: Outside) -> None:
    ids, ends = outside.vault.secret_ids, outside.vault.expires
    ids["a"], ends["a"] = "one", f"{day(3)}T10:00:00.123456789Z"
    (sentence,) = told(outside, vault__auth=APPROLE)
    role = "Vault auth/approle/role/episodic-sandbox-external-secrets"
    assert sentence == f"{role}: its last secret ID: expires on {day(3)}, in 3 days; {ROTATE}"
    ids["b"], ends["b"] = "two", f"{day(31)}T10:00:00Z"
    assert told(outside, vault__auth=APPROLE) == []
    del ends["b"]
    assert told(outside, vault__auth=APPROLE) == [], "it does not end"
    ids.clear()
    assert told(outside, vault__auth=APPROLE) == []


@pytest.mark.parametrize(("days", "is_told"), [(364, False), (367, True)])
def test_a_deploy_key_is_told_once_it_is_a_year_old(outside: Outside, days: int, *, is_told: bool) -> None:
    keys = outside.github.add_repository(NAME)["keys"]
    made = {"id": 1, "key": "ssh-ed25519 AAAA", "read_only": True, "created_at": f"{day(-days)}T00:00:00Z"}
    keys[1], keys[2] = {**made, "title": "flux-sandbox"}, {**made, "title": "flux-staging"}
    found = told(outside)
    assert [sentence.partition(": is ")[0] for sentence in found] == (
        [f"df12-test/{NAME}: deploy key flux-sandbox"] if is_told else []
    )
    assert all(f"{days} days old; {ROTATE}" in sentence for sentence in found)

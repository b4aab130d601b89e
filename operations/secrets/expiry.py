"""What expires, or is old: told before it cuts anybody off, and without reading what it is.

A token's date stands beside its entry in Vault, as metadata, put there by who brings it (`vault kv metadata patch
-custom-metadata=digitalocean_token_expires=…`): neither DigitalOcean nor GitHub tells the date of one token to another.
A token without such a note is told too.
Certificates say theirs, Vault that of a secret ID by its accessor, and GitHub when a deploy key was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from cryptography.x509 import load_pem_x509_certificates

from constructs_lib.base.bucket import TrustedBucket
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.environment.vault import AppRoleAuth, VaultServer
from constructs_lib.platform.vault_eso import STORES, vault_role
from operations.clients.github import GitHub
from operations.clients.secret_ids import SecretIds
from operations.clients.vault import Secrets, open_vault
from operations.secrets.credentials import secrets_of
from operations.secrets.policies import WATCHED, watched

SUFFIX = "_expires"
"""How the name of a date ends; before it is the property that expires."""

TOKEN = "token"  # noqa: S105 - how the names of properties end
"""How the name of a property ends that whoever makes it gives an end, or none."""

NEVER = "never"
"""What is noted of a token without an end."""

EARLY = timedelta(days=30)
"""How long before that it is told."""

OLD = timedelta(days=365)
"""How old a deploy key gets before it is told; it does not expire."""

PAGE = "docs/how-to/rotate-secrets.md"
ROTATE = f"rotate it ({PAGE})"


def expiring(env: Environment, github: GitHub) -> list[str]:
    """Return a sentence for each secret that expires soon, is old, or of which nobody can tell."""
    vault = env.gitops.vault
    own, shared = secrets_of(env, Purpose.DRIFT), open_vault(vault, vault.mount, Purpose.DRIFT)
    places = [*((own, path) for path in watched(env)), *((shared, vault.github(purpose)) for purpose in WATCHED)]
    found = [sentence for secrets, path in places for sentence in _soon(secrets, path)]
    trusted = {"vault": env.vault, "gitops.vault": vault, "backups": env.backups, "source": env.source}
    for key, server in trusted.items():
        if server is not None:
            found += ending_certificates(f"environments/{env.name}.yaml: {key}.ca_bundle", server)
    return [*found, *_secret_ids(env), *_deploy_keys(env, github)]


def ending_certificates(where: str, server: VaultServer | TrustedBucket) -> Iterator[str]:
    """Yield a sentence for each certificate by which a server is trusted that ends soon, from when on it is refused."""
    for certificate in load_pem_x509_certificates((server.ca_bundle or "").encode()) if server.ca_bundle else ():
        yield from _told(f"{where}: {certificate.subject.rfc4514_string()}", certificate.not_valid_after_utc.date())


def _secret_ids(env: Environment) -> Iterator[str]:
    """Yield a sentence if the last secret ID of the cluster's AppRole ends soon."""
    auth = env.vault.auth
    if not isinstance(auth, AppRoleAuth):
        return
    name = vault_role(env, STORES[0])
    ends = [*SecretIds(env.vault, auth.mount, name, env.vault.ci.role_for(Purpose.DRIFT)).ends()]
    dates = [end.date() for end in ends if end is not None]
    if dates and len(dates) == len(ends):
        yield from _told(f"Vault auth/{auth.mount}/role/{name}: its last secret ID", max(dates))


def _deploy_keys(env: Environment, github: GitHub) -> Iterator[str]:
    full_name = env.gitops.full_name
    for item in github.items(f"/repos/{full_name}/keys"):
        age = datetime.now(UTC) - datetime.fromisoformat(item["created_at"])
        if item["title"] == env.deploy_key_title and age > OLD:
            yield f"{full_name}: deploy key {item['title']}: is {age.days} days old; {ROTATE}"


def _soon(secrets: Secrets, path: str) -> Iterator[str]:
    notes = {name.removesuffix(SUFFIX): text for name, text in secrets.notes(path).items() if name.endswith(SUFFIX)}
    for name, text in notes.items():
        if text != NEVER:
            yield from _noted(f"Vault {secrets.mount}/{path}: {name}", text)
    for name in sorted(secrets.names(path) - notes.keys()):
        if name.endswith(TOKEN):
            what = f"Vault {secrets.mount}/{path}: {name}"
            yield f"{what}: nobody noted when it expires; add the metadata {name}{SUFFIX}, a date or {NEVER} ({PAGE})"


def _noted(what: str, text: str) -> Iterator[str]:
    try:
        yield from _told(what, date.fromisoformat(text))
    except ValueError:
        yield f"{what}: expires on '{text}', which is no date such as 2027-01-31 nor {NEVER}; correct the metadata"


def _told(what: str, end: date) -> Iterator[str]:
    left = end - datetime.now(UTC).date()
    if left < EARLY:
        when = f"expired on {end}" if left < timedelta() else f"expires on {end}, in {left.days} days"
        yield f"{what}: {when}; {ROTATE}"

"""GitHub, with the token that Vault holds or with the job's own."""

from __future__ import annotations

import os

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment.repository import GitOps
from operations.clients.github import GitHub, installation_token
from operations.clients.vault import Secrets, open_vault
from operations.console import mask
from operations.secrets.credentials import missing

APP = ("github_app_id", "github_app_key")
"""The properties of an entry that holds a GitHub App: its number, and its private key in PEM."""

TOKEN = "github_token"  # noqa: S105 - the name of a property
"""The property of an entry that holds a person's token instead."""

PERMISSIONS: dict[Purpose, dict[str, str]] = {
    Purpose.BOOTSTRAP: {
        **dict.fromkeys(("administration", "contents", "environments", "pull_requests"), "write"),
        **dict.fromkeys(("secrets", "actions_variables", "workflows"), "write"),
        **dict.fromkeys(("metadata", "members"), "read"),
    },
    Purpose.PROMOTE: {"contents": "write", "pull_requests": "write", "metadata": "read"},
    Purpose.DRIFT: {"administration": "read", "contents": "read", "metadata": "read"},
    Purpose.INTEGRATION: {"administration": "write", "contents": "write", "metadata": "read"},
}
"""What the token of a purpose may, whatever the app may (docs.github.com, "Permissions required for GitHub Apps")."""


def gitops_client(gitops: GitOps, purpose: Purpose) -> GitHub:
    """Return GitHub as a purpose sees it: by a token of an hour that its app makes, or else by a person's token.

    Raises `ConfigError` if Vault holds neither or does not answer.
    """
    secrets, path = open_vault(gitops.vault, gitops.vault.mount, purpose), gitops.vault.github(purpose)
    problems = missing_access(secrets, path)
    if problems:
        raise ConfigError(*problems)
    entry = secrets.read(path)
    if not entry.get(APP[0]):
        return GitHub(entry[TOKEN])
    token = installation_token(entry[APP[0]], entry[APP[1]], gitops.organisation, PERMISSIONS[purpose])
    mask(token)
    return GitHub(token)


def missing_access(secrets: Secrets, path: str) -> list[str]:
    """Return a sentence for each property that an entry lacks to reach GitHub."""
    entry = secrets.read(path)
    return missing(secrets, path, APP if any(map(entry.get, APP)) else (TOKEN,))


def own_client() -> GitHub:
    """Return GitHub as the job's own token sees it. Raises `ConfigError` if GITHUB_TOKEN does not hold it."""
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        raise ConfigError("GITHUB_TOKEN: is not set; give the job its token")
    return GitHub(token)

"""GitHub, with the token that Vault holds or with the job's own."""

from __future__ import annotations

import os

from constructs_lib.base.errors import ConfigError
from constructs_lib.environment.repository import GitOps
from operations.clients.github import GitHub
from operations.clients.vault import open_vault
from operations.secrets.credentials import missing


def gitops_client(gitops: GitOps) -> GitHub:
    """Return GitHub as the token sees it that Vault holds for the GitOps repository.

    Raises `ConfigError` if Vault holds none or does not answer.
    """
    secrets, path = open_vault(gitops.vault, gitops.vault.mount), gitops.vault.path
    problems = missing(secrets, path, ["github_token"])
    if problems:
        raise ConfigError(*problems)
    return GitHub(secrets.read(path)["github_token"])


def own_client() -> GitHub:
    """Return GitHub as the job's own token sees it. Raises `ConfigError` if GITHUB_TOKEN does not hold it."""
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        raise ConfigError("GITHUB_TOKEN: is not set; give the job its token")
    return GitHub(token)

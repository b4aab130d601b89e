"""A new deploy key: GitHub knows both until the cluster has the new one, which provisioning writes."""

from __future__ import annotations

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.kit import DEPLOY_KEY_SECRET
from operations.clients.github import GitHub
from operations.clients.vault import Secrets
from operations.rotation.in_cluster import flux_secret
from operations.rotation.revision import tell_provisioning
from operations.secrets.credentials import secrets_of
from operations.secrets.entries import DEPLOY_KEY, FORMER_DEPLOY_KEY, new_deploy_key, public_half, refuse_bucket
from operations.secrets.gitops_client import gitops_client


def rotate_deploy_key(env: Environment) -> None:
    """Do the next step: a new key for GitHub and Vault, the number by which it is provisioned, the old one's end."""
    refuse_bucket(env)
    secrets, github = secrets_of(env, Purpose.BOOTSTRAP), gitops_client(env.gitops, Purpose.BOOTSTRAP)
    if FORMER_DEPLOY_KEY not in secrets.read(env.vault.kv.flux):
        _begin(env, secrets, github)
    key = _public(env, secrets)
    if not any(_same(known, key) for _, known in github.deploy_keys(env.gitops.full_name).values()):
        github.add_deploy_key(env.gitops.full_name, env.deploy_key_title, key)
    tell_provisioning(env, secrets)
    if _provisioned(env, secrets) not in {key, None}:
        say(f"{env.name}: GitHub and Vault have the new key; provision {env.name} (services), then run this again")
        return
    _remove_others(env, github, key)
    secrets.remove(env.vault.kv.flux, FORMER_DEPLOY_KEY)
    say(f"{env.name}: the cluster has the new deploy key, and the old one is gone")


def _begin(env: Environment, secrets: Secrets, github: GitHub) -> None:
    """Make a key; what a killed run left on GitHub goes first. Raises `ConfigError` if another run was faster."""
    path, old = env.vault.kv.flux, _public(env, secrets)
    version, held = secrets.version(path), secrets.read(path)
    _remove_others(env, github, old)
    key = new_deploy_key()
    github.add_deploy_key(env.gitops.full_name, env.deploy_key_title, public_half(key, path))
    if not secrets.replace(path, {DEPLOY_KEY: key, FORMER_DEPLOY_KEY: held[DEPLOY_KEY]}, version):
        raise ConfigError(f"Vault {secrets.mount}/{path}: was written by another run meanwhile; run this again")
    say(f"Vault {secrets.mount}/{path}: a new {DEPLOY_KEY}, which GitHub has beside the old one")


def _provisioned(env: Environment, secrets: Secrets) -> str | None:
    """Return the public half of the key that the cluster has; nothing where there is no cluster, or no key in it."""
    held = flux_secret(env, secrets, DEPLOY_KEY_SECRET)
    return public_half(held.values.get("identity", ""), f"cluster {env.cluster.name}") if held else None


def _remove_others(env: Environment, github: GitHub, kept: str) -> None:
    for number, (title, key) in github.deploy_keys(env.gitops.full_name).items():
        if title == env.deploy_key_title and not _same(key, kept):
            github.remove_deploy_key(env.gitops.full_name, number)
            say(f"{env.gitops.full_name}: deploy key {number} of {env.name} removed")


def _public(env: Environment, secrets: Secrets) -> str:
    path = env.vault.kv.flux
    held = secrets.read(path)
    if DEPLOY_KEY not in held:
        raise ConfigError(f"Vault {secrets.mount}/{path}: {DEPLOY_KEY}: is missing; run `bootstrap secrets`")
    return public_half(held[DEPLOY_KEY], f"{secrets.mount}/{path}")


def _same(one: str, other: str) -> bool:
    """Say whether two keys are one, whatever the comment behind them."""
    return one.split()[:2] == other.split()[:2]

"""A new deploy key: GitHub knows both until the cluster has the new one, which provisioning writes."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.client.exceptions import ApiException

from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import SECRETS_REVISION
from constructs_lib.environment import Environment
from constructs_lib.kit import DEPLOY_KEY_SECRET, FLUX_NAMESPACE
from operations.clients.digitalocean import DigitalOcean
from operations.clients.github import GitHub
from operations.clients.http import TIMEOUT_SECONDS
from operations.clients.kubernetes import cluster_client
from operations.clients.vault import Secrets
from operations.console import say
from operations.secrets.credentials import ACCOUNT, secrets_of
from operations.secrets.entries import DEPLOY_KEY, FORMER_DEPLOY_KEY, new_deploy_key, public_half
from operations.secrets.gitops_client import gitops_client


def rotate_deploy_key(env: Environment) -> None:
    """Do the next step: a new key for GitHub and Vault, the number by which it is provisioned, the old one's end."""
    secrets, github = secrets_of(env, Purpose.BOOTSTRAP), gitops_client(env.gitops, Purpose.BOOTSTRAP)
    if FORMER_DEPLOY_KEY not in secrets.read(env.vault.kv.flux):
        _begin(env, secrets, github)
    key = _public(env, secrets)
    if not any(_same(known, key) for _, known in github.deploy_keys(env.gitops.full_name).values()):
        github.add_deploy_key(env.gitops.full_name, _title(env), key)
    _tell_provisioning(env, secrets, key)
    if _in_cluster(env, secrets) not in {key, None}:
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
    github.add_deploy_key(env.gitops.full_name, _title(env), public_half(key, path))
    if not secrets.replace(path, {DEPLOY_KEY: key, FORMER_DEPLOY_KEY: held[DEPLOY_KEY]}, version):
        raise ConfigError(f"Vault {secrets.mount}/{path}: was written by another run meanwhile; run this again")
    say(f"Vault {secrets.mount}/{path}: a new {DEPLOY_KEY}, which GitHub has beside the old one")


def _tell_provisioning(env: Environment, secrets: Secrets, key: str) -> None:
    """Keep a number that is another for another key: with it, and only then, the next plan writes the key."""
    number = str(int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]))
    path = env.vault.kv.state
    if secrets.read(path).get(SECRETS_REVISION) == number:
        return
    if not secrets.replace(path, {SECRETS_REVISION: number}, secrets.version(path)):
        raise ConfigError(f"Vault {secrets.mount}/{path}: was written by another run meanwhile; run this again")


def _in_cluster(env: Environment, secrets: Secrets) -> str | None:
    """Return the public half of the key that the cluster has; nothing where there is no cluster, or no key in it."""
    api = DigitalOcean(secrets.read(env.vault.kv.provisioning)[ACCOUNT[0]])
    if api.cluster(env.cluster.name) is None:
        return None
    core = kubernetes.CoreV1Api(cluster_client(api, env).api_client)
    try:
        found: Any = core.read_namespaced_secret(DEPLOY_KEY_SECRET, FLUX_NAMESPACE, _request_timeout=TIMEOUT_SECONDS)
    except ApiException as error:
        if error.status == 404:
            return None
        raise ConfigError(f"cluster {env.cluster.name}: answers {error.status}; run this again") from None
    return public_half(base64.b64decode(found.data["identity"]).decode(), f"cluster {env.cluster.name}")


def _remove_others(env: Environment, github: GitHub, kept: str) -> None:
    for number, (title, key) in github.deploy_keys(env.gitops.full_name).items():
        if title == _title(env) and not _same(key, kept):
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


def _title(env: Environment) -> str:
    return f"flux-{env.name}"

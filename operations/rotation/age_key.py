"""A new age key: the cluster has both before anything is sealed for the new one, and until nothing needs the old one.

A file of age may hold several keys, and Flux tries each (fluxcd/kustomize-controller `internal/decryptor`). What is
sealed gets new data keys too: who had the old age key has the old ones.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from constructs_lib.base.console import say
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from constructs_lib.kit import FLUX_NAMESPACE
from constructs_lib.platform.vault_eso import AGE_KEY_SECRET
from gitops_render.pin import History
from gitops_render.repository import INDEX_NAME, recipients, render_repository
from gitops_render.seal import reseal, sealed_for_others
from gitops_render.write import write
from operations.clients.clone import Clone, cloned
from operations.clients.github import GitHub
from operations.clients.vault import Secrets
from operations.rotation.in_cluster import in_cluster
from operations.rotation.revision import put
from operations.secrets.credentials import secrets_of
from operations.secrets.entries import AGE_KEY, age_keys, age_recipient, new_age_key
from operations.secrets.gitops_client import gitops_client

ENTRY = "age.agekey"
"""The key of the cluster's Secret."""


class Keys(NamedTuple):
    """The key in use, and the one that takes its place."""

    old: str
    new: str

    @property
    def text(self) -> str:
        """Both, as a file of age."""
        return f"{self.old}\n{self.new}\n"


def rotate_age_key(env: Environment, environments: Sequence[Environment]) -> None:
    """Do the next step: a second key, the pull request that seals for it, the first one's end.

    Raises `ConfigError` if nothing is sealed for the environment, or its file names neither key.
    """
    secrets = secrets_of(env, Purpose.BOOTSTRAP)
    keys = _keys(env, secrets)
    if not _is_in_cluster(env, secrets, keys):
        say(f"{env.name}: the cluster has not both age keys yet; External Secrets was told, so run this again")
        return
    if env.sops_recipient == age_recipient(keys.old):
        file = f"environments/{env.name}.yaml"
        say(f"{file}: set sops_recipient to {age_recipient(keys.new)} and merge that, then run this again")
        return
    github = gitops_client(env.gitops, Purpose.BOOTSTRAP)
    if _is_sealed(env, environments, github, keys):
        put(secrets, env.vault.kv.flux, **{AGE_KEY: keys.new})
        say(f"Vault {secrets.mount}/{env.vault.kv.flux}: the old {AGE_KEY} is gone; it still reads Git's history")


def _keys(env: Environment, secrets: Secrets) -> Keys:
    """Return both keys; where Vault has one, make the other. The file's recipient is that of one of them."""
    path = env.vault.kv.flux
    where = f"Vault {secrets.mount}/{path}: {AGE_KEY}"
    if env.sops_recipient is None:
        raise ConfigError(f"environments/{env.name}.yaml: has no sops_recipient, so nothing is sealed for a key")
    found = age_keys(secrets.read(path).get(AGE_KEY, ""), where)
    if env.sops_recipient not in map(age_recipient, found):
        raise ConfigError(f"{where}: is not the private half of sops_recipient in environments/{env.name}.yaml")
    if len(found) == 1:
        keys = Keys(found[0], new_age_key())
        put(secrets, path, **{AGE_KEY: keys.text})
        say(f"{where}: a second key beside the first")
        return keys
    if len(found) > 2:
        raise ConfigError(f"{where}: holds {len(found)} keys; remove those that nothing is sealed for")
    return Keys(*found)


def _is_in_cluster(env: Environment, secrets: Secrets, keys: Keys) -> bool:
    """Say whether the cluster can read what is sealed for either; without a cluster nobody has to."""
    cluster = in_cluster(env, secrets)
    held = cluster.secret(FLUX_NAMESPACE, AGE_KEY_SECRET) if cluster else None
    if cluster is None or held is None:
        return True
    if {*keys} <= {*held.values.get(ENTRY, "").split()}:
        return True
    cluster.read_again(FLUX_NAMESPACE, AGE_KEY_SECRET)
    return False


def _is_sealed(env: Environment, environments: Sequence[Environment], github: GitHub, keys: Keys) -> bool:
    """Say whether all that an environment runs is sealed for the new key alone; propose what lacks."""
    gitops = env.gitops
    repository = github.repository(gitops.full_name)
    prefix = f"rotate/{env.name}/"
    with cloned(repository, github.token, gitops.default_branch) as clone:
        history = History(clone.folder, gitops.default_branch)
        # One that a killed run pushed is as good as another: it seals the same files for the same key.
        branch = f"{prefix}{history.head[:12]}-{age_recipient(keys.new)[-8:]}"
        write(clone.folder, INDEX_NAME, render_repository(environments), overwrite=True)
        reseal(clone.folder, env.name, keys.text)
        changed = clone.changed()
        for number in github.supersede(repository, prefix, branch if changed else ""):
            say(f"closed pull request {number}, which something newer replaces")
        if changed:
            title = f"Seal {env.name}'s Secrets for its new age key"
            if not clone.has(f"refs/remotes/origin/{branch}"):
                clone.switch(branch)
                clone.commit(title)
                clone.push(branch)
            body = "The values are the same. Vault and the cluster have both keys."
            pull, opened = github.propose(repository, branch, title, body)
            say(f"{env.name}: pull request {pull.number} {'opened' if opened else 'is open'}; merge it, run this again")
            return False
        return _runs_sealed(env, clone, history.running(env))


def _runs_sealed(env: Environment, clone: Clone, commit: str) -> bool:
    """Say whether the commit that an environment runs is sealed for the new key alone."""
    with tempfile.TemporaryDirectory(prefix="running-") as folder:
        running = Path(folder, "tree")
        clone.export(commit, running)
        old = sealed_for_others(running, env.name, frozenset(recipients(env)))
    if old:
        say(f"{env.name}: runs {commit[:12]}, where {old[0]} is sealed for the old key; promote, then run this again")
    return not old

"""A new passphrase for the states: each is written again, first under the new one's own name, then under the old name.

OpenTofu keeps the salt of a passphrase under the name of its key provider, so two passphrases need two names: `state`,
and `next`, which every stack reads too (`constructs_lib/cloud/state_backend.py`). At each moment Vault holds what reads
every state. OpenTofu 1.12 `internal/encryption`; a state is pushed with a higher serial, or OpenTofu would keep it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from constructs_lib.base.console import say, step
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.purpose import Purpose
from constructs_lib.base.stacks import (
    DEFINITION,
    GITOPS_REPOSITORY,
    NEXT_STATE_PASSPHRASE,
    STATE_PASSPHRASE,
    stack_folder,
    state_key,
)
from constructs_lib.environment import Environment
from constructs_lib.environment.repository import StateBucket
from operations.clients.spaces import Spaces
from operations.clients.tofu import Json, Stack
from operations.clients.vault import Secrets, open_vault
from operations.rotation.revision import put
from operations.secrets.credentials import gitops_credentials, secrets_of, state_credentials
from operations.secrets.entries import new_password


class Place(NamedTuple):
    """Where states of one passphrase are: its entry in Vault, their bucket, and the stacks."""

    secrets: Secrets
    path: str
    bucket: StateBucket
    stacks: Sequence[str]

    def variables(self) -> Mapping[str, str]:
        """Return what OpenTofu has to be given to reach and read the states."""
        of = gitops_credentials if self.stacks == [GITOPS_REPOSITORY] else state_credentials
        return of(self.secrets, self.path).variables()


def place_of(env: Environment) -> Place:
    """Return where an environment's states are. Raises `ConfigError` where that is no bucket."""
    if env.state is None:
        found = "state is null, and states in files are not written again"
        raise ConfigError(
            f"environments/{env.name}.yaml: {found}; keep the passphrase, or name a bucket from the start"
        )
    stacks = [env.stack(kind) for kind in env.stacks]
    return Place(secrets_of(env, Purpose.BOOTSTRAP), env.vault.kv.state, env.state, stacks)


def gitops_place(env: Environment) -> Place:
    """Return where the state of the GitOps repository's stack is."""
    vault = env.gitops.vault
    secrets = open_vault(vault, vault.mount, Purpose.BOOTSTRAP)
    return Place(secrets, vault.path, env.gitops.state, [GITOPS_REPOSITORY])


def rotate_passphrase(place: Place) -> None:
    """Give all states a new passphrase, while no run changes them; go on with what a killed run began.

    Raises `ConfigError` if a state cannot be read, with what reads the others still in Vault.
    """
    secrets, path = place.secrets, place.path
    if NEXT_STATE_PASSPHRASE not in secrets.read(path):
        put(secrets, path, **{NEXT_STATE_PASSPHRASE: new_password()})
    entry = secrets.read(path)
    if entry[STATE_PASSPHRASE] != entry[NEXT_STATE_PASSPHRASE]:
        _write_again(place, under="next")
        put(secrets, path, **{STATE_PASSPHRASE: entry[NEXT_STATE_PASSPHRASE]})
    _write_again(place, under="state")
    secrets.remove(path, NEXT_STATE_PASSPHRASE)
    say(f"Vault {secrets.mount}/{path}: the states have a new {STATE_PASSPHRASE}; plans that wait have to be made anew")


def _write_again(place: Place, *, under: str) -> None:
    variables = place.variables()
    spaces = Spaces(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    for name in place.stacks:
        if not (spaces.exists(place.bucket) and spaces.holds(place.bucket, state_key(name))):
            continue
        with step(f"{name}: write its state under the key {under}"), tempfile.TemporaryDirectory() as folder:
            bare = _bare(Stack(name, place.bucket, variables).definition, under)
            path = stack_folder(Path(folder), name) / DEFINITION
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(bare))
            stack = Stack(name, place.bucket, variables, output=Path(folder))
            stack.init()
            stack.push(stack.pull())


def _bare(definition: Json, under: str) -> Json:
    """Return a stack without anything but its state, which it writes under a key, and reads under each."""
    terraform = definition["terraform"]
    encryption = terraform["encryption"]
    other = {"next": "state", "state": "next"}[under]
    target = {**encryption["state"], "method": _method(under), "fallback": {"method": _method(other)}}
    names = (STATE_PASSPHRASE, NEXT_STATE_PASSPHRASE)
    return {
        "terraform": {"backend": terraform["backend"], "encryption": {**encryption, "state": target}},
        "variable": {name: definition["variable"][name] for name in names},
    }


def _method(name: str) -> str:
    return f"method.aes_gcm.{name}"

"""The stacks: how they are called, where their JSON and their state are, and what has to be given to them.

A name is the folder of a stack's JSON and the key of its state.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

GITOPS_REPOSITORY = "gitops-repository"
"""The stack that all environments share."""

OUTPUT = Path("cdktf.out")
"""Where the JSON goes, unless cdktf's own command line says otherwise (`CDKTF_OUTDIR`)."""

DEFINITION = "cdk.tf.json"
"""The file that holds a stack's JSON, in the stack's folder."""

LOCAL_STATES = "states"
"""The folder with the states that no bucket keeps: beside the output, which may be thrown away."""

STATE_PASSPHRASE = "state_passphrase"  # noqa: S105 - the name of a variable, and of its entry in Vault
FLUX_DEPLOY_KEY = "flux_deploy_key"
SOURCE_KEY = ("source_access_key_id", "source_secret_access_key")
"""The key of the bucket that Flux follows: its ID, and its secret."""
KUBERNETES_VERSION = "kubernetes_version"
POOL_NODES = "pool_nodes"
CLUSTER_HOST = "cluster_host"
CLUSTER_TOKEN = "cluster_token"  # noqa: S105 - the name of a variable
CLUSTER_CA = "cluster_ca_certificate"
SECRETS_REVISION = "secrets_revision"
NEXT_STATE_PASSPHRASE = "next_state_passphrase"  # noqa: S105 - the name of a variable, and of its entry in Vault
VAULT_SECRET_ID = "vault_secret_id"  # noqa: S105 - the name of a variable, and of its entry in Vault


GENERATION_TAG = "generation:"
"""How the tag of a cluster begins that says the how-manieth of its name it is."""


class StackKind(StrEnum):
    """A stack of an environment."""

    STATE = "state"
    CLUSTER = "cluster"
    FLUX = "flux"
    PLATFORM = "platform"
    DNS = "dns"


def stack_folder(output: Path, name: str) -> Path:
    """Return the folder of a stack below `output`."""
    return output / "stacks" / name


def definitions(output: Path) -> list[Path]:
    """Return the files that hold the JSON of the stacks below `output`."""
    return sorted(output.glob(f"stacks/*/{DEFINITION}"))


def local_state(name: str, output: Path = OUTPUT) -> Path:
    """Return the file with a stack's state where no bucket keeps it."""
    return output.parent / LOCAL_STATES / state_key(name)


def local_state_seen(name: str) -> str:
    """Return the same as a stack says it, from its own folder."""
    return f"../../../{LOCAL_STATES}/{state_key(name)}"


def state_key(name: str) -> str:
    """Return the key of a stack's state in its bucket."""
    return f"{name}.tfstate"


def deploy_key_variable(environment: str) -> str:
    """Return the variable for the public half of an environment's deploy key."""
    return f"deploy_key_{environment.replace('-', '_')}"


def given(variable: str) -> str:
    """Return the name in the process's environment by which OpenTofu takes a variable."""
    return f"TF_VAR_{variable}"

"""The files of the GitOps repository that all environments share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from constructs_lib.environment import Environment
from constructs_lib.environment.repository import GitOps
from gitops_render.paths import (
    APPS,
    CLUSTER,
    CODE_OWNERS,
    SOPS_FILE,
    SOURCE_IGNORE,
    VALIDATION_WORKFLOW,
    Place,
    owned_patterns,
)
from gitops_render.sops_config import sops_config
from gitops_render.tree import Rendered

INDEX_NAME = "_shared"
"""The name of their index, which no environment can have."""

IGNORED = b"""\
# What Flux need not download: nothing here is applied.
/.github
/.render
/docs
/tests
.sops.yaml
"""


FILES = Path(__file__).with_name("repository_files")
"""What is nearly the same in every GitOps repository: its validation."""


def render_repository(environments: Sequence[Environment]) -> Rendered:
    """Return the validation workflow, CODEOWNERS, `.sourceignore`, and `.sops.yaml` if an environment has a recipient.

    They must see every environment.
    """
    owned = {
        SOURCE_IGNORE: IGNORED,
        CODE_OWNERS: code_owners(environments, owned_patterns) + _owners_of_applications(environments),
        VALIDATION_WORKFLOW: _validation(environments[0].gitops),
    }
    sealed_for = {env.name: recipients(env) for env in environments if env.sops_recipient is not None}
    if sealed_for:
        owned[SOPS_FILE] = sops_config(sealed_for)
    return Rendered(owned, seeds={})


def without_file(root: Path, environments: Iterable[str]) -> list[str]:
    """Return the environments that have a tree in the repository at `root` and are none of `environments`."""
    folders = (root / Place("*", CLUSTER).path.parent).glob("*/")
    return sorted({folder.name for folder in folders if folder.is_dir()} - set(environments))


def _validation(gitops: GitOps) -> bytes:
    """Return the workflow of the required check, whose program is the infrastructure repository's."""
    text = (FILES / VALIDATION_WORKFLOW.name).read_text()
    named = text.replace("INFRASTRUCTURE", f"{gitops.organisation}/{gitops.infrastructure_repository}")
    return named.replace("BRANCH", gitops.default_branch).encode()


def code_owners(environments: Sequence[Environment], patterns: Callable[[str], Sequence[str]]) -> bytes:
    """Return who reviews what (docs.github.com, "About code owners"): an environment's reviewers own its `patterns`.

    What all share is owned by everybody who reviews for an environment, and the last rule that fits counts.
    """
    owners = {env.name: _owners(env) for env in environments}
    everybody = sorted({owner for names in owners.values() for owner in names})
    lines = ["# Written by rendering: change `reviewers` in the environment files instead."]
    lines += [f"* {' '.join(everybody)}"] if everybody else []
    for name, names in owners.items():
        lines += [" ".join((pattern, *names)) for pattern in patterns(name)]
    return ("\n".join(lines) + "\n").encode()


def _owners_of_applications(environments: Iterable[Environment]) -> bytes:
    """Return who reviews what applications bring: their owners, each in the folder of its own."""
    apps = ((env, app) for env in environments for app in env.applications.values())
    lines = (f"/{Place(env.name, APPS, app.name).path}/ @{env.gitops.organisation}/{app.owner}\n" for env, app in apps)
    return "".join(lines).encode()


def _owners(env: Environment) -> list[str]:
    teams = [f"@{env.gitops.organisation}/{team}" for team in env.reviewers.teams]
    return sorted([*teams, *(f"@{user}" for user in env.reviewers.users)])


def recipients(env: Environment) -> list[str]:
    """Return the age keys that can decrypt what is sealed for an environment."""
    keys = (env.sops_recipient, env.gitops.recovery_recipient)
    return [key for key in keys if key is not None]

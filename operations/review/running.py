"""What an environment runs: the tree at the commit that the GitOps repository pins it to."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment
from gitops_render.pin import History
from operations.clients.clone import cloned
from operations.secrets.gitops_client import gitops_client


@contextmanager
def running_tree(env: Environment) -> Generator[Path]:
    """Write what `env` runs into a folder that goes afterwards. Raises `ConfigError` as `History` does."""
    github = gitops_client(env.gitops, Purpose.DRIFT)
    repository = github.repository(env.gitops.full_name)
    with cloned(repository, github.token, env.gitops.default_branch) as clone, tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "running")
        clone.export(History(clone.folder, env.gitops.default_branch).running(env), tree)
        yield tree

"""The repository, made once: proposals lie beside its default branch and change nothing."""

from __future__ import annotations

import pytest

from tests.gitops_render.validate.repository import GitOps


@pytest.fixture(scope="session")
def gitops(tmp_path_factory: pytest.TempPathFactory) -> GitOps:
    """A GitOps repository."""
    return GitOps(tmp_path_factory.mktemp("gitops") / "clone")

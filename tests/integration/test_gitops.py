"""A short-lived GitOps repository, made, seeded and removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constructs_lib.environment import Environment
from operations.bootstrap.layout import broken_layout, ensure_layout
from operations.clients.github import GitHub


@pytest.fixture
def short_lived(base: Environment, github: GitHub, name: str) -> Iterator[Environment]:
    """The sandbox with a GitOps repository of its own, which is deleted afterwards."""
    gitops = base.gitops.model_copy(update={"repository": f"{name}-gitops"})
    env = base.model_copy(update={"gitops": gitops})
    repository = github.create_repository(gitops)
    yield env
    repository.delete()


def test_an_empty_repository_is_seeded_once(github: GitHub, short_lived: Environment) -> None:
    repository = github.repository(short_lived.gitops.full_name)
    ensure_layout(github, repository, [short_lived], [short_lived])
    assert repository.get_commits().totalCount == 1
    assert broken_layout(github, repository, [short_lived], [short_lived]) == []
    ensure_layout(github, repository, [short_lived], [short_lived])
    assert repository.get_commits().totalCount == 1

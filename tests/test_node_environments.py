"""The environments of the real node load: they follow the files, and its tests take minutes to say that they do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from constructs_lib.environment import Environment
from tests.e2e.node import sandbox


def retired() -> Environment:
    """Return the sandbox whose Postgres is closed."""
    return sandbox.environment(retired="closed")


@pytest.mark.parametrize(
    ("make", "is_open"), [(sandbox.environment, True), (sandbox.production, True), (retired, False)]
)
def test_each_has_a_postgres_that_its_application_names(make: Callable[[], Environment], is_open: bool) -> None:
    made = make()
    (cluster,) = made.platform.cloudnative_pg.clusters
    assert cluster.is_open == is_open
    assert [[*app.uses.postgres] for app in made.applications.values()] == [[cluster.name]]
